"""What a client may say beside turns, through the Python SDK's own methods: updates in the middle of a session, words
for the agent, and what the gateway has to refuse.
"""

import json

from sdk_session import Conversation, audio_settings, kind_of, texts

from deepgram.agent.v1.types import (
    AgentV1InjectAgentMessage,
    AgentV1InjectDynamicAgentMessage,
    AgentV1InjectUserMessage,
    AgentV1SendFunctionCallResponse,
    AgentV1Settings,
    AgentV1SettingsAgent,
    AgentV1SettingsFlags,
    AgentV1UpdateListen,
    AgentV1UpdateListenListen,
    AgentV1UpdateListenListenProvider_V1,
    AgentV1UpdatePrompt,
    AgentV1UpdateSpeak,
    AgentV1UpdateThink,
    AgentV1UpdateThinkLive,
    FunctionCallHistoryMessage,
)
from deepgram.types import (
    DeepgramThinkLiveProviderV1,
    SpeakSettingsV1,
    SpeakSettingsV1Endpoint,
    SpeakSettingsV1Provider_Deepgram,
    SpeakSettingsV1Provider_ElevenLabs,
    ThinkLiveSettingsV1,
    ThinkSettingsV1,
    ThinkSettingsV1FunctionsItem,
    ThinkSettingsV1Provider_OpenAi,
)

SPEED = 1.2
TIME = "10:43"  # nothing but the function's answer can put this into the agent's words
PROMPT, ADDED = "You keep the bridge.", "Answer in one sentence."
QUEUED, NEXT, INTERRUPTING = "The bridge closes at noon.", "It opens at one.", "Stop, there is a train."
# Minutes of speech, so that its response still runs when it is interrupted.
LONG = " ".join(f"This is sentence number {n} of a long story." for n in range(30))


def think(prompt, function):
    item = ThinkSettingsV1FunctionsItem(
        name=function, description="The time of day", parameters={"type": "object", "properties": {}}
    )
    provider = ThinkSettingsV1Provider_OpenAi(model="gpt-4o-mini", temperature=0.7)
    return ThinkSettingsV1(provider=provider, prompt=prompt, functions=[item])


def speak(model, **speed):
    return SpeakSettingsV1(provider=SpeakSettingsV1Provider_Deepgram(model=model, **speed))


def foreign_voice():
    return SpeakSettingsV1(
        provider=SpeakSettingsV1Provider_ElevenLabs(model_id="eleven_turbo_v2_5"),
        endpoint=SpeakSettingsV1Endpoint(url="https://speech.example/v1", headers={"xi-api-key": "none"}),
    )


class Vocabulary(Conversation):
    title = "vocabulary: "
    trouble = (
        "cannot_update_voice",
        "INVALID_SETTINGS",
        "disallowed_client_message_type",
        "FORCE_END_TURN_UNSUPPORTED",
    )

    async def run(self):
        # Of each array the first entry cannot be used: a name that is none, a voice that nobody mapped.
        agent = AgentV1SettingsAgent(
            think=[think("Nobody reads this.", "no name"), think("Be brief.", "get_current_time")],
            speak=[foreign_voice(), speak("aura-2-thalia-en")],
        )
        await self.open(AgentV1Settings(audio=audio_settings(), agent=agent))
        await self.updates()
        await self.agent_messages()
        await self.late_voice()
        await self.changed_function()
        await self.refusals()

    async def updates(self):
        provider = AgentV1UpdateListenListenProvider_V1(model="nova-3", language="de")
        await self.send("send_update_think", AgentV1UpdateThink(think=think(PROMPT, "get_local_time")))
        await self.send("send_update_prompt", AgentV1UpdatePrompt(prompt=ADDED))
        await self.send("send_update_speak", AgentV1UpdateSpeak(speak=speak("aura-2-apollo-en")))
        await self.send("send_update_listen", AgentV1UpdateListen(listen=AgentV1UpdateListenListen(provider=provider)))
        kinds = [kind_of(m) for m in await self.transcript.until("ListenUpdated")]
        expected = ["ThinkUpdated", "PromptUpdated", "SpeakUpdated", "ListenUpdated"]
        self.check("one acknowledgement for each update, in order", kinds == expected, kinds)
        turn = await self.ask("What are your instructions?")
        said = " ".join(texts(turn, "assistant"))
        self.check("the prompt is the updated one", said.endswith(f"{PROMPT}\n\n{ADDED}"), said)
        self.check_answer("updated turn", turn)
        report = await self.transcript.until("LatencyReport")
        self.check("LatencyReport", len(report) == 1 and report[0].total_latency > 0, report)

    async def agent_messages(self):
        # The answer's audio came faster than it plays: the agent is still heard.
        # None goes over the wire as null.
        await self.inject("Not now.", behavior=None)
        refused = await self.transcript.until("InjectionRefused")
        self.check("no agent message in the agent's turn", len(refused) == 1 and refused[0].message, refused)
        for text in (QUEUED, NEXT):
            await self.inject(text, behavior="queue")
        for text in (QUEUED, NEXT):
            turn = await self.transcript.until("AgentAudioDone")
            self.check("queued agent message", texts(turn, "assistant") == [text], texts(turn, "assistant"))
            self.check_answer("queued agent message", turn)
        await self.send("send_inject_user_message", AgentV1InjectUserMessage(content=LONG))
        await self.transcript.until("audio")
        # The voice in force, at another speed: that has to wait for the end of the response.
        await self.send("send_update_speak", AgentV1UpdateSpeak(speak=speak("aura-2-apollo-en", speed=SPEED)))
        await self.inject(INTERRUPTING, behavior="interrupt")
        cut = await self.transcript.until("UserStartedSpeaking")
        self.check("interrupted: the end signal comes first", kind_of(cut[-2]) == "AgentAudioDone", kind_of(cut[-2]))
        turn = await self.transcript.until("AgentAudioDone")
        kinds = [kind_of(m) for m in turn]
        self.check("another speed after the response", kinds.count("SpeakUpdated") == 1, kinds)
        kinds.remove("SpeakUpdated")
        self.check("interrupting agent message: nothing before it", kinds[0] == "AgentStartedSpeaking", kinds)
        said = texts(turn, "assistant")
        self.check("interrupting agent message", said == [INTERRUPTING], said)
        self.check_answer("interrupting agent message", turn)

    async def late_voice(self):
        await self.send("send_update_speak", AgentV1UpdateSpeak(speak=speak("aura-2-thalia-en", speed=None)))
        warned = (await self.transcript.until("Warning"))[-1]
        self.check("a voice after the first audio", warned.code == "cannot_update_voice", warned)
        await self.send("send_update_speak", AgentV1UpdateSpeak(speak=[speak("aura-2-apollo-en")]))
        same = await self.transcript.until("SpeakUpdated")
        self.check("the voice in force again", kind_of(same[-1]) == "SpeakUpdated", same)

    async def changed_function(self):
        await self.send("send_inject_user_message", AgentV1InjectUserMessage(content="What time is it?"))
        (call,) = (await self.transcript.until("FunctionCallRequest"))[-1].functions
        self.check("the function is the updated one", call.name == "get_local_time", call)
        content = json.dumps({"time": TIME})
        answer = AgentV1SendFunctionCallResponse(id=call.id, name=call.name, content=content)
        await self.send("send_function_call_response", answer)
        turn = await self.transcript.until("AgentAudioDone")
        kept = [m for m in turn if type(m) is FunctionCallHistoryMessage]
        pairs = [(c.id, c.name, c.arguments, c.response, c.client_side) for m in kept for c in m.function_calls]
        expected = [(call.id, call.name, call.arguments, content, True)]
        self.check("History: the call and its answer", pairs == expected, pairs)
        said = " ".join(texts(turn, "assistant"))
        self.check("the answer holds the function's result", TIME in said, said)

    async def refusals(self):
        await self.send("send_update_think", AgentV1UpdateThink(think=think("Nobody reads this.", "no name")))
        error = (await self.transcript.until("Error"))[-1]
        named = error.code == "INVALID_SETTINGS" and "think.functions[0].name" in error.description
        self.check("an update that cannot be used", named, error)
        await self.send("send_inject_dynamic_agent_message", AgentV1InjectDynamicAgentMessage())
        refused = await self.transcript.until("InjectionRefused")
        self.check("a dynamic agent message", "think_live" in refused[-1].message, refused)
        think_live = ThinkLiveSettingsV1(provider=DeepgramThinkLiveProviderV1())
        await self.send("send_update_think_live", AgentV1UpdateThinkLive(think_live=think_live))
        error = (await self.transcript.until("Error"))[-1]
        self.check("UpdateThink_Live", error.code == "disallowed_client_message_type", error)
        await self.send("send_force_end_turn")
        warned = (await self.transcript.until("Warning"))[-1]
        self.check("ForceEndTurn", warned.code == "FORCE_END_TURN_UNSUPPORTED", warned)

    async def ask(self, content):
        await self.send("send_inject_user_message", AgentV1InjectUserMessage(content=content))
        return await self.transcript.until("AgentAudioDone")

    async def inject(self, message, **behavior):
        message = AgentV1InjectAgentMessage(message=message, **behavior)
        await self.send("send_inject_agent_message", message)


class WithoutHistory(Vocabulary):
    title = "without history: "
    trouble, history = (), False

    async def run(self):
        flags = AgentV1SettingsFlags(history=False)
        agent = AgentV1SettingsAgent(think=think("Be brief.", "get_current_time"))
        await self.open(AgentV1Settings(flags=flags, audio=audio_settings(), agent=agent))
        await self.inject(QUEUED)
        turn = await self.transcript.until("AgentAudioDone")
        self.check("agent message", texts(turn, "assistant") == [QUEUED], texts(turn, "assistant"))
        self.check_answer("agent message", turn)
        turn = await self.ask("Hello there")
        self.check("typed turn: echo", texts(turn, "user") == ["Hello there"], texts(turn, "user"))
        self.check_answer("typed turn", turn)
