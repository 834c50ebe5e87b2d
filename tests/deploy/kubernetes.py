#!/usr/bin/env python3
"""The manifests of config/deploy/kubernetes: kubernetes.py BINARY

Kubernetes' own schemas and kustomize judge them. What they say of the program (ports, probes, metrics, files, times,
memory) has to be what its configuration says and what the binary does when it runs with that. Prints `ok NAME` or `not ok
NAME: why` per check.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

from harness import (
    AFTER_DRAIN_S, DEPLOY, KEYS, TOKEN, Checks, Gateway, ask, in_force, substitute, write_keys
)

MANIFESTS = DEPLOY / "kubernetes"
# The oldest that knows preStop.sleep without being asked, and the newest that the validator knows.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]
UNITS = {"Mi": 2**20, "Gi": 2**30}
# What a session that holds nothing takes at most, and the program without any: see the README, "In production", Memory.
SESSION_BYTES, PROGRAM_BYTES = 80 * 2**10, 64 * 2**20


def documents(text):
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def check_schemas(check, manifests, where):
    for kind, manifest in manifests.items():
        # Kinds of others than Kubernetes itself: what they refer to is checked below.
        if manifest["apiVersion"].split("/")[0] in ("kustomize.config.k8s.io", "monitoring.coreos.com"):
            continue
        faults = []
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                faults.append(f"{version}: {error.message}")
        check(f"{kind}{where}: schema", not faults, faults)


def check_kustomize(check, manifests):
    done = subprocess.run(["kubectl", "kustomize", MANIFESTS], capture_output=True, text=True, timeout=60)
    if not check("kubectl kustomize", done.returncode == 0 and not done.stderr, done.stderr):
        return
    made = documents(done.stdout)
    check_schemas(check, made, " as applied")
    optional = {"Kustomization", "Ingress", "PodMonitor"}
    check("all but what is optional is applied", set(made) == set(manifests) - optional | {"ConfigMap"}, set(made))
    configuration = made["ConfigMap"]["data"]
    file = (MANIFESTS / "voxbridge.toml").read_text()
    check("the ConfigMap is the file", configuration == {"voxbridge.toml": file}, configuration)
    volumes = made["Deployment"]["spec"]["template"]["spec"]["volumes"]
    name = made["ConfigMap"]["metadata"]["name"]
    check("the pods have that ConfigMap", {"name": name} in [volume.get("configMap") for volume in volumes], volumes)


def check_references(check, manifests):
    """What one manifest says of another, by label or name."""
    pod = manifests["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    for kind, path in [("Deployment", "selector.matchLabels"), ("Service", "selector"),
                       ("PodDisruptionBudget", "selector.matchLabels"), ("NetworkPolicy", "podSelector.matchLabels"),
                       ("PodMonitor", "selector.matchLabels")]:
        selector = manifests[kind]["spec"]
        for step in path.split("."):
            selector = selector[step]
        check(f"{kind} selects the pods", selector == labels, selector)
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    named = {
        "Service": [port["targetPort"] for port in manifests["Service"]["spec"]["ports"]],
        "NetworkPolicy": [port["port"] for rule in manifests["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]],
        "PodMonitor": [endpoint["port"] for endpoint in manifests["PodMonitor"]["spec"]["podMetricsEndpoints"]],
    }
    for kind, used in named.items():
        check(f"{kind}: ports of the pods", used and set(used) <= ports, used)
    target = manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    scaled = {key: manifests["Deployment"][key] for key in ("apiVersion", "kind")} | {"name": "voxbridge"}
    check("the autoscaler's target", target == scaled, target)
    service = manifests["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    known = {port["name"] for port in manifests["Service"]["spec"]["ports"]}
    check("the ingress's service", service["name"] == "voxbridge" and service["port"]["name"] in known, service)
    snippet = manifests["Ingress"]["metadata"]["annotations"]["haproxy.org/backend-config-snippet"].splitlines()
    haproxy = [line.strip() for line in (DEPLOY / "haproxy.cfg").read_text().splitlines()]
    check("the ingress does as haproxy.cfg", snippet and set(snippet) <= set(haproxy), set(snippet) - set(haproxy))


def check_restricted(check, pod):
    """Kubernetes' profile `restricted`, and a root that cannot be written to."""
    container, user = pod["containers"][0]["securityContext"], pod["securityContext"]
    check("restricted: privileges", container["allowPrivilegeEscalation"] is False
          and container["capabilities"] == {"drop": ["ALL"]} and container["readOnlyRootFilesystem"] is True, container)
    image = re.search(r"^USER (\d+):(\d+)$", (DEPLOY / "Containerfile").read_text(), re.M).groups()
    check("restricted: the image's user", user["runAsNonRoot"] is True
          and (user["runAsUser"], user["runAsGroup"]) == tuple(map(int, image)), user)
    check("restricted: system calls", user["seccompProfile"] == {"type": "RuntimeDefault"}, user)


def check_figures(check, manifests, values):
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    container, server = pod["containers"][0], values["server"]
    needed = container["lifecycle"]["preStop"]["sleep"]["seconds"] + server["drain_timeout_s"] + AFTER_DRAIN_S
    grace = pod["terminationGracePeriodSeconds"]
    check("Kubernetes waits for preStop and the drain", grace >= needed, f"{grace} s of {needed} s")
    number, unit = re.fullmatch(r"(\d+)(\w+)", container["resources"]["limits"]["memory"]).groups()
    needed = server["max_sessions"] * SESSION_BYTES + values["limits"]["process_bytes"] + PROGRAM_BYTES
    check("memory for all sessions", int(number) * UNITS[unit] >= needed, f"{number}{unit} of {needed / 2**20:.0f} MiB")
    processors = int(container["resources"]["requests"]["cpu"])
    check("a processor for each worker", processors == server["workers"], processors)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    check("the container's ports", ports == {"clients": server["port"], "admin": server["admin_port"]}, ports)


def configuration(check, binary, work, pod):
    """The file of the ConfigMap with the keys elsewhere, and what is in force with it."""
    container = pod["containers"][0]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    check("the arguments name the mounted file", container["args"] == ["--config", f"{mounts['config']}/voxbridge.toml"])
    secret = next(volume["secret"] for volume in pod["volumes"] if volume["name"] == "keys")
    text = (MANIFESTS / "voxbridge.toml").read_text()
    wanted = set(re.findall(rf"{mounts['keys']}/([\w-]+)", text))
    check("the keys are the mounted Secret's", secret["secretName"] == "voxbridge" and wanted == set(KEYS), wanted)
    command = (MANIFESTS / "deployment.yaml").read_text()
    check("the command makes that Secret", all(f"--from-file={name}" in command for name in wanted), wanted)
    config = work / "voxbridge.toml"
    config.write_text(substitute(text, {mounts["keys"]: write_keys(work / "keys")}))
    values, said = in_force(binary, config)
    check("voxbridge check", values, said)
    return config, values


def check_running(check, manifests, gateway):
    pod = manifests["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    ports = {"clients": gateway.port, "admin": gateway.admin_port}

    def probe(name):
        get = pod[name]["httpGet"]
        return ask(f"http://127.0.0.1:{ports[get['port']]}{get['path']}")[0]

    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        check(f"{name} is answered", probe(name) == 200, probe(name))
    endpoint = manifests["PodMonitor"]["spec"]["podMetricsEndpoints"][0]
    metrics = f"http://127.0.0.1:{ports[endpoint['port']]}{endpoint['path']}"
    check("the scrape is answered, with the token of its Secret", ask(metrics, TOKEN)[0] == 200, ask(metrics, TOKEN))
    check("and only with that", ask(metrics)[0] == 401, ask(metrics))
    key = endpoint["authorization"]["credentials"]
    check("which is one of the Secret", key["name"] == "voxbridge" and KEYS[key["key"]] == TOKEN, key)
    check("clients do not see metrics", ask(f"http://127.0.0.1:{gateway.port}/metrics")[0] == 404)
    known = {name for name, _ in gateway.metrics()}
    scaler = (MANIFESTS / "autoscaler.yaml").read_text()
    wanted = set(re.findall(r"voxbridge_\w+", scaler))
    check("the autoscaler's metric exists", wanted and wanted <= known, wanted - known)


def check_scaling(check, manifests, values):
    metrics = {metric["type"]: metric for metric in manifests["HorizontalPodAutoscaler"]["spec"]["metrics"]}
    target = int(metrics["Pods"]["pods"]["target"]["averageValue"])
    sessions = values["server"]["max_sessions"]
    check("pods are added before they are full", 0 < target <= sessions / 2, f"{target} of {sessions}")
    down = manifests["HorizontalPodAutoscaler"]["spec"]["behavior"]["scaleDown"]
    grace = manifests["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    policy = down["policies"]
    check("they go one at a time, each after the other's drain",
          [own["value"] for own in policy] == [1] and policy[0]["periodSeconds"] > grace, policy)


def main(binary):
    checks = Checks("kubernetes: ")
    check = checks.check
    manifests = documents("\n---\n".join(file.read_text() for file in sorted(MANIFESTS.glob("*.yaml"))))
    check_schemas(check, manifests, "")
    check_kustomize(check, manifests)
    check_references(check, manifests)
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    check_restricted(check, pod)
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        config, values = configuration(check, binary, work, pod)
        check_figures(check, manifests, values)
        check_scaling(check, manifests, values)
        with Gateway("voxbridge", work, binary, config) as gateway:
            check_running(check, manifests, gateway.wait_until_it_listens())
    return checks.exit_status()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
