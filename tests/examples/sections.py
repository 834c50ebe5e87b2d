"""The sections of the README that hold something to run: what a reader does with each, in the README's order.

Must not know how anything is run or compared.
"""

import json
import pathlib
import re
import socket
import subprocess

from reader import Reader
from shell import PATIENCE, commands

__all__ = ["SECTIONS", "Reader", "options", "written_elsewhere"]

HERE = pathlib.Path(__file__).resolve().parent
# What is not run, and why.
NOT_RUN = {
    "cargo install": "it builds the release program",
}


def run_it(reader):
    reader.start("Run it", "cargo run --release", reader.take("Run it", "text", "voxbridge 0"))
    reader.type("From a terminal", "$ cargo run --release -- talk")
    reader.type("Paths", "$ curl")


def step_by_step(reader):
    for begins in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "DEEPGRAM_API_KEY"):
        reader.start("Step by step", begins)
        reader.stop()
    reader.start("Step by step", "scripts/example-functions &")
    printed, _ = reader.run(reader.put("voxbridge talk --url ws://127.0.0.1:8080/openai --text get_weather"))
    reader.check("get_weather is run on the server", '"Berlin"}) on the server' in printed, printed)
    configuration = reader.work / "config" / "default.toml"
    configuration.rename(reader.work / "voxbridge.toml")
    printed, status = reader.run(reader.take("Step by step", "sh", "voxbridge check").text)
    reader.check("voxbridge check", status == 0 and "[server]" in printed, printed)


def connect_a_client(reader):
    reader.start_line("voxbridge")
    in_python = "Python, deepgram-sdk 7"
    reader.install(in_python)
    reader.write(in_python, "python")
    reader.type(in_python)
    reader.write(in_python, "python")
    reader.type(in_python)
    reader.heard("answer.wav")
    in_node = "JavaScript, @deepgram/sdk 5, in Node"
    reader.install(in_node)
    reader.write(in_node, "js")
    reader.type(in_node)


def pages(reader):
    reader.start_line("voxbridge")
    sound = "Pages: microphone and loudspeaker"
    reader.write(sound, "js")
    serve = reader.take(sound, "sh")
    reader.serve(f"PYTHONUNBUFFERED=1 {serve.text}", "Serving HTTP on 127.0.0.1")
    shown = {}
    plain, with_sdk, component = (
        "Browser, plain WebSocket", "Browser, @deepgram/sdk 5", "Web component, @deepgram/browser-agent"
    )
    for heading in (plain, with_sdk, component):
        if heading != plain:
            reader.install(heading)
        file = reader.write(heading, "html")
        block = reader.take(heading, "text")
        reader.check(f"{file} is where the README says", f":8000/{file}`" in block.before, block.before)
        shown[file] = block.text
    origin = reader.put("http://127.0.0.1:8000")
    seen = reader.work / "seen"
    seen.mkdir()
    question = reader.work / "question.wav"
    printed, status = reader.run(f"node {HERE / 'pages.mjs'} {origin} {question} {seen}")
    for line in printed.splitlines():
        name, _, why = line.removeprefix("not ").removeprefix("ok ").partition(": ")
        reader.check(f"{name}: {why.split(': ')[0]}" if why else name, line.startswith("ok "), line)
    reader.check("every page was visited", status == 0 and printed.count("no trouble") == 3, printed)
    for file, text in shown.items():
        kind = "spoken" if file == "component.html" else "typed"
        reader.compare(f"{file}: what was {kind}", text, (seen / f"{file}.{kind}").read_text())
    # After what was typed the same again, but that speech is recognised late.
    typed, spoken = ((seen / f"page.html.{kind}").read_text().splitlines() for kind in ("long", "spoken"))
    again = shown["page.html"].splitlines()[1:]
    reader.compare("page.html: what was spoken", "\n".join([again[1], again[0], *again[2:]]), "\n".join(spoken[len(typed):]))


def visitors(reader):
    section = "Tokens for visitors: POST /v1/auth/grant"
    reader.start(section, "SHOP_TOKEN=")
    typed = reader.type(section)
    # What was set before is still set in the same terminal.
    name, _, token = commands(typed.text)[0][0].partition("=")
    reader.environment[name] = token
    reader.type(section)


def the_contract(reader):
    """The request as an application gets it, and the two kinds of answer as the example application gives them."""
    request = reader.take("The contract", "http").text
    with socket.create_server(("127.0.0.1", int(reader.put("8090")))) as listener:
        reader.start_line("voxbridge --config config/functions.toml")
        body = request.split("\n\n")[1]
        url = reader.put("http://127.0.0.1:8080/function-call")
        caller = reader.begin(f"curl -s {url} -H 'content-type: application/json' -d '{body.strip()}'", stdout=subprocess.DEVNULL)
        listener.settimeout(PATIENCE)
        connection, _ = listener.accept()
        with connection, connection.makefile("r", newline="") as stream:
            lines = list(iter(stream.readline, "\r\n"))
            length = int(re.search(r"content-length: (\d+)", "".join(lines))[1])
            got = "".join(lines).replace("\r", "") + "\n" + stream.read(length)
            connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{"content":""}')
        caller.wait(PATIENCE)
    reader.compare("the request", request, got)
    reader.stop()
    reader.start_line("scripts/example-functions")
    answers = reader.take("The contract", "json").text.splitlines()
    for city, answer in zip(("Oslo", "Rome"), answers, strict=True):
        call = body.replace("Oslo", city).strip()
        printed, _ = reader.run(reader.put(f"curl -s http://127.0.0.1:8090/ -d '{call}'"))
        reader.compare(f"an answer for {city}", answer, printed)


def functions(reader):
    section = "The example application"
    reader.start_shown(section, "$ scripts/example-functions")
    reader.start_shown(section, "$ cargo run --release -- --config")
    reader.type(section, "$ cargo run --release -- talk")
    section = "From the page: POST /function-call"
    reader.type(section, "$ curl")
    call = {"id": "call_1", "name": "get_weather", "arguments": '{"city":"Oslo"}'}
    answer = f"console.log(JSON.stringify(await run({json.dumps(call)})));"
    (reader.work / "run.mjs").write_text(reader.take(section, "js").text + answer)
    printed, _ = reader.run("node run.mjs")
    wanted = {"type": "FunctionCallResponse", "id": "call_1", "name": "get_weather"}
    wanted["content"] = '{"city": "Oslo", "weather": "6 degrees and rainy"}'
    reader.compare("a page forwards a call", json.dumps(wanted, separators=(",", ":")), printed)
    shown = reader.take(section, "text", "[").text
    logged = [line for line in reader.logs("trace=checkout-7").splitlines() if "trace=checkout-7" in line]
    numbers = [re.sub(r"\d+", "0", line.strip()) for line in (shown, *logged)]
    reader.check("its line in the log", len(numbers) == 2 and numbers[0] == numbers[1], logged)


def configure_backends(reader):
    reader.type("Configure backends")
    reader.start("Configure backends", "OPENAI_API_KEY")
    reader.stop()
    for line in reader.take("Environment", "sh").text.splitlines():
        if line.endswith(" voxbridge"):
            reader.start_line(line)
            reader.stop()
        else:
            variable = line.split("=")[0]
            printed, status = reader.run(line)
            reader.check(variable, status == 0 and "[server]" in printed, printed)
    shown = reader.take("Environment", "text").text
    variable = re.search(r"VOXBRIDGE\w+", shown)[0]
    reader.compare("a variable of no key", shown, reader.run(f"{variable}=1 voxbridge")[0])


def change_it_while_it_runs(reader):
    (reader.work / "config" / "default.toml").rename(reader.work / "voxbridge.toml")
    reader.start_line("voxbridge --config voxbridge.toml")
    block = reader.take("Change it while it runs", "sh")
    _, status = reader.run(block.text)
    reader.check("voxbridge check && kill -HUP", status == 0, status)
    reader.logs("configuration reloaded")
    reader.check("the log says so", True)


def over_tls(reader):
    printed = reader.start("TLS", "openssl", reader.take("TLS", "text"))
    line = re.search(r"^try: (.*)", printed, re.M)[1]
    printed, status = reader.run(line)
    reader.check("talk --ca", status == 0 and "agent: " in printed, printed)


def logs(reader):
    for line in reader.take("Logs", "sh").text.splitlines():
        reader.start_line(line)
        reader.stop()


def usage_and_recordings(reader):
    reader.environment |= {
        "VOXBRIDGE__LOGGING__USAGE_LOG": "usage.jsonl", "VOXBRIDGE__LOGGING__RECORD_DIR": "recordings"
    }
    reader.start_line("voxbridge")
    url = reader.put("ws://127.0.0.1:8080/openai?traceId=checkout-7")
    printed, status = reader.run(f"voxbridge talk --url '{url}' --audio question.wav")
    reader.check("a session", status == 0, printed)
    printed, _ = reader.run(reader.put("curl -s http://127.0.0.1:8080/sim/openai/usage"))
    shown, reported = (re.sub(r"\d+", "0", text.strip()) for text in (reader.take("The simulator", "json").text, printed))
    reader.check("what the simulator reports", shown == reported, printed)
    reader.stop()  # then everything is written

    def shapes(text):
        return {line["kind"]: list(line) for line in map(json.loads, text.splitlines())}

    shown = shapes(reader.take("Usage", "text").text)
    written = shapes((reader.work / "usage.jsonl").read_text())
    reader.check("usage.jsonl has the members that are shown", shown == written, f"{written} in place of {shown}")
    printed, status = reader.run(reader.take("Usage", "sh").text)
    sums = json.loads("[" + re.sub(r"\}\s*\{", "},{", printed) + "]") if status == 0 else []
    keys = [sorted(entry) for entry in sums]
    wanted = [["backend", "cost"], ["cost", "subject"], ["cost", "day"], ["backend", "heard_min", "said_min"]]
    amounts = [value for entry in sums for value in entry.values() if isinstance(value, float)]
    reader.check("jq sums it up", keys == wanted and len(amounts) == 5 and min(amounts) > 0, printed)
    (recording,) = (reader.work / "recordings").iterdir()
    lines = [json.loads(line) for line in recording.read_text().splitlines()]
    example = [json.loads(line) for line in reader.take("Recordings", "text").text.replace(",…", "").splitlines()]
    same = list(lines[0]) == list(example[0]) and lines[-1] == example[-1]
    reader.check("a recording's first and last line are those that are shown", same, [lines[0], lines[-1]])
    steps = [{tuple(line) for line in recorded[1:-1]} for recorded in (lines, example)]
    reader.check("its steps have the members that are shown", steps[0] == steps[1], steps)
    printed, status = reader.run("voxbridge replay recordings/*.jsonl")
    reader.check("its recording replays", status == 0 and "same outcome" in printed, printed)


def replay(reader):
    shown = reader.take("Replay", "text", "        ms").text
    file = tuple(shown.splitlines())[-1].split(":")[0]
    printed, status = reader.run(f"cd tests/recordings && voxbridge replay --steps {file}")
    reader.compare("--steps", shown, printed)
    reader.check("status", status == 0, status)


def the_simulator(reader):
    reader.start("The simulator")


SECTIONS = [
    run_it, step_by_step, connect_a_client, pages, visitors, configure_backends, change_it_while_it_runs, over_tls,
    the_contract, functions, logs, usage_and_recordings, replay, the_simulator,
]


def written_elsewhere(block):
    return any(block.text.startswith(begins) for begins in NOT_RUN)


def options(check, readme, binary):
    """Whatever calls voxbridge anywhere, in a sentence or in a file for another program, does so with what there is."""

    def help_of(*command):
        return subprocess.run([binary, *command, "--help"], capture_output=True, text=True, timeout=20).stdout

    known = {"": help_of()}
    for name in re.findall(r"^  (\w+) ", known[""].split("Commands:")[1].split("Options:")[0], re.M):
        known[name] = help_of(name) if name != "help" else ""
    calls = [call for text in readme.spans() for call in re.findall(r"^(?:\S+=\S+ )*voxbridge( .*)?$", text)]
    calls += [call for block in readme.blocks for call in re.findall(r"(?:^|[ /])voxbridge( .*)$", block.text, re.M)
              if block.has_to_run() or block.language in ("ini", "text")]
    wrong = []
    for call in calls:
        words = call.split()
        name = words[0] if words and words[0] in known else ""
        wrong += [call for word in words if word.startswith("--") and not re.search(rf"{word}\b", known[name])]
    check(f"the {len(calls)} calls of voxbridge have options that there are", len(calls) > 20 and not wrong, wrong)
