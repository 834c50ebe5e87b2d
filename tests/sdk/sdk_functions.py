"""A function that the gateway runs and the client never declared, as the Python SDK sees it."""

import json

from sdk_session import Conversation, audio_settings, kind_of, texts

from deepgram.agent.v1.types import (
    AgentV1InjectUserMessage,
    AgentV1Settings,
    AgentV1SettingsAgent,
    FunctionCallHistoryMessage,
)
from deepgram.types import ThinkSettingsV1, ThinkSettingsV1Provider_OpenAi


class ServerSide(Conversation):
    title = "server side: "
    question, function = "What time is it?", "get_current_time"
    # Whose call it was, as History has it.
    kept_client_side = False

    async def run(self):
        provider = ThinkSettingsV1Provider_OpenAi(model="gpt-4o-mini", temperature=0.7)
        agent = AgentV1SettingsAgent(think=ThinkSettingsV1(provider=provider, prompt="Be brief."))
        await self.open(AgentV1Settings(audio=audio_settings(), agent=agent))
        await self.send("send_inject_user_message", AgentV1InjectUserMessage(content=self.question))
        (call,) = (await self.transcript.until("FunctionCallRequest"))[-1].functions
        told = (call.name, call.client_side)
        self.check("FunctionCallRequest", told == (self.function, False), call)
        self.check("arguments are JSON", isinstance(json.loads(call.arguments), dict), call)
        result = (await self.transcript.until("FunctionCallResponse"))[-1]
        self.check_result(call, result)
        turn = await self.transcript.until("AgentAudioDone")
        self.check("AgentThinking", "AgentThinking" in map(kind_of, turn), [kind_of(m) for m in turn])
        said = " ".join(texts(turn, "assistant"))
        self.check("the answer holds the function's result", result.content and result.content in said, said)
        self.check_answer("answer", turn)
        kept = [m for m in self.transcript.messages if type(m) is FunctionCallHistoryMessage]
        pairs = [(c.id, c.name, c.response, c.client_side) for m in kept for c in m.function_calls]
        expected = [(call.id, call.name, result.content, self.kept_client_side)]
        self.check("History: the call and its result", pairs == expected, pairs)

    def check_result(self, call, result):
        self.check("FunctionCallResponse", (result.id, result.name) == (call.id, call.name), result)
