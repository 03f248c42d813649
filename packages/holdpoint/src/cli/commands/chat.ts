import { counted } from "../../kit/counted.ts";
import { newId } from "../../kit/id.ts";
import { castOf } from "../../run/ready-agent.ts";
import { isTeam, type Participant } from "../../spec/team.ts";
import { Chat } from "../chat/chat.ts";
import { chatInput } from "../chat/chat-input.ts";
import { pastLines } from "../chat/chat-view.ts";
import {
	type Conversation,
	conversationNamed,
	conversationTaken,
	isOpen,
	newestConversation,
} from "../chat/find-conversation.ts";
import { type Invocation, textOption } from "../command.ts";
import { type Opened, openAgents, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { age } from "../render/duration.ts";
import { inlineText } from "../render/safe-text.ts";
import { createVoices, type Voices } from "../render/voices.ts";
import { shownRun } from "../shown-run.ts";
import { checkModel } from "../with-model.ts";
import { chooseAgent } from "./run.ts";

/** What was said before is shown from its end. */
const pastLinesMax = 30;

/** A conversation with an agent or a team, in the terminal. */
export async function chat(invocation: Invocation): Promise<number> {
	const by = osApprover(invocation);
	const opened = await openAgents(invocation, { isStoreThere: false });
	return using(opened, async ({ harness, store }) => {
		const { agent, conversation } = await place(invocation, opened, by.id);
		checkModel(agent);
		const { session, latest } = conversation;
		const voices = createVoices(invocation.terminal.style);
		for (const { name } of castOf(agent)) voices(inlineText(name, 20));
		await showOpening(invocation, opened, { agent, conversation, voices });
		const input = chatInput(invocation);
		try {
			const talk = new Chat({ invocation, harness, store, agent, session, by, voices, input });
			return await talk.hold(latest && isOpen(latest) ? latest.run : undefined);
		} finally {
			await input.close();
		}
	});
}

interface Place {
	readonly agent: Participant;
	readonly conversation: Conversation;
}

/** With whom, and which one: the one that is named, else the newest open one of this user, else a new one. */
async function place(invocation: Invocation, { harness, store, agents }: Opened, principal: string): Promise<Place> {
	const [named] = invocation.positionals;
	const session = textOption(invocation, "session");
	if (session !== undefined) {
		const conversation = await conversationNamed(store, session);
		const { latest } = conversation;
		const agent = chooseAgent(agents, named ?? latest?.agent);
		if (latest && isOpen(latest) && latest.agent !== agent.name)
			throw conversationTaken(session, latest.agent, agent.name);
		return { agent, conversation };
	}
	const agent = chooseAgent(agents, named);
	const isNew = invocation.options["new"] !== undefined;
	const found = isNew ? undefined : await newestConversation({ harness, store }, { agent: agent.name, principal });
	return { agent, conversation: found ?? { session: newId("chat", Date.now()), latest: undefined } };
}

async function showOpening(
	{ terminal }: Invocation,
	{ harness }: Opened,
	{ agent, conversation, voices }: Place & { readonly voices: Voices },
): Promise<void> {
	const { session, latest } = conversation;
	const { style } = terminal;
	terminal.data({ type: "chat.opened", session, agent: agent.name, isNew: latest === undefined, run: latest?.run });
	const members = castOf(agent).map(({ name }) => style.bold(voices(inlineText(name, 20))));
	const which = latest ? `which goes on; the last word was ${age(Date.now() - latest.updatedAt)} ago` : "new";
	terminal.print(
		isTeam(agent) ? `${style.bold(agent.name)}, a team of ${members.join(", ")}` : (members[0] ?? agent.name),
		style.dim(`Conversation ${inlineText(session, 200)}, ${which}.`),
		style.dim("/help says what you can type, /quit leaves."),
		"",
	);
	if (!latest || terminal.isJson) return;
	const { events } = await shownRun(harness, latest.run);
	const lines = pastLines(terminal, { run: latest.run, voices, isEchoing: true }, events);
	const left = lines.length - pastLinesMax;
	terminal.print(...(left > 0 ? [style.dim(`… ${counted(left, "line")} before`)] : []), ...lines.slice(-pastLinesMax));
}
