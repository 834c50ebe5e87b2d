"""Agents of Deepgram's own behind the gateway, as the Python SDK sees them: what the other agents are asked, and where
Deepgram's answers differ, that.
"""

import json

from python_agent import Turns
from sdk_functions import ServerSide
from sdk_session import audio_settings, kind_of, texts
from sdk_vocabulary import INTERRUPTING, LONG, NEXT, QUEUED, Vocabulary, WithoutHistory, think

from deepgram.agent.v1.types import AgentV1InjectUserMessage, AgentV1Settings, AgentV1SettingsAgent


class Agent(Turns):
    title = "agent: "


class ProxiedAgent(Turns):
    title = "agent under /deepgram-proxy: "


class AgentVocabulary(Vocabulary):
    title = "agent's vocabulary: "
    trouble = ("FORCE_END_TURN_UNSUPPORTED",)

    async def run(self):
        agent = AgentV1SettingsAgent(think=think("Be brief.", "get_current_time"))
        await self.open(AgentV1Settings(audio=audio_settings(), agent=agent))
        await self.updates()
        await self.agent_messages()
        await self.changed_function()
        await self.send("send_force_end_turn")
        warned = (await self.transcript.until("Warning"))[-1]
        self.check("ForceEndTurn", warned.code == "FORCE_END_TURN_UNSUPPORTED", warned)

    async def agent_messages(self):
        for text in (QUEUED, NEXT):
            await self.inject(text, behavior="queue")
        for text in (QUEUED, NEXT):
            turn = await self.transcript.until("AgentAudioDone")
            self.check("queued agent message", texts(turn, "assistant") == [text], texts(turn, "assistant"))
            self.check_answer("queued agent message", turn)
        await self.send("send_inject_user_message", AgentV1InjectUserMessage(content=LONG))
        await self.transcript.until("audio")
        await self.inject("Not now.")
        refused = (await self.transcript.until("InjectionRefused"))[-1]
        self.check("no agent message in the agent's turn", refused.message, refused)
        await self.inject(INTERRUPTING, behavior="interrupt")
        turn = await self.transcript.until("AgentAudioDone")
        self.check("interrupting agent message", texts(turn, "assistant") == [INTERRUPTING], texts(turn, "assistant"))
        said = next(i for i, m in enumerate(turn) if kind_of(m) == "ConversationText")
        self.check_answer("interrupting agent message", turn[said:])


class AgentWithoutHistory(WithoutHistory):
    title = "agent without history: "


class AgentServerSide(ServerSide):
    title = "agent, server side: "
    # Deepgram asked the gateway as it would ask any client.
    kept_client_side = True


class AgentApplication(ServerSide):
    """A function that an application runs, behind the gateway."""

    title = "agent, application: "
    kept_client_side = True
    question, function = "get_weather", "get_weather"

    def check_result(self, call, result):
        super().check_result(call, result)
        city = json.loads(call.arguments).get("city")
        content = json.loads(result.content)
        self.check("the application's own answer", city and content["city"] == city and content["weather"], result)
