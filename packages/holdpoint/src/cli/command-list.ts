import type { CommandSpec, OptionSpec, PositionalSpec } from "./command.ts";
import { grantOptions } from "./grant-terms.ts";

const model: readonly OptionSpec[] = [
	{ name: "model", value: "provider/name", about: "such as openai/… or local/…; its key comes from the environment" },
	{ name: "base-url", value: "url", about: "of the model's server, such as http://127.0.0.1:8080/v1" },
];

/** Of commands that ask no model: they print the one that goes on, and that one needs it. */
const carried: readonly OptionSpec[] = model.map((option) => ({
	...option,
	about: "goes into the commands that are printed",
}));
/** Of those that print none: a command is changed into another one by its name. */
const uncarried: readonly OptionSpec[] = model.map((option) => ({ ...option, hidden: true }));

/** Known so that it can be refused with a reason. */
const claim: OptionSpec = {
	name: "as",
	value: "name",
	about: "is refused: you answer as the user you are logged in as",
	hidden: true,
};

const runId: PositionalSpec = { name: "run", about: "id of the run, or the beginning of it" };
const approvalIds: PositionalSpec = {
	name: "approval",
	about: "ids of approvals, or their beginnings",
	optional: true,
	many: true,
};
const ofRun: OptionSpec = { name: "run", value: "run", about: "instead of ids: every call that this run holds now" };
const switchNames: readonly PositionalSpec[] = [
	{ name: "of", about: "tool, agent, tenant or all" },
	{ name: "name", about: "which one; none for all", optional: true },
];

/** Every command; what it needs is imported when it is run. */
const rowsOfRehearsal: readonly OptionSpec[] = [
	{ name: "rows", value: "rows", about: "of a rehearsal: all, or numbers such as 1,3-5" },
	{ name: "seen", value: "digest", about: "which rehearsal was seen, as it is printed with it" },
];

export const commands: readonly CommandSpec[] = [
	{
		name: "demo",
		summary: "watch a support agent solve a request, be held, and go on in another process",
		options: [
			...model,
			{ name: "answer", value: "answer", about: "approve, deny, or an amount such as 60.00: nobody is asked" },
			{ name: "folder", value: "path", about: "where it plays (default .holdpoint/demo)" },
			{ name: "keep", about: "keep the runs of earlier demos" },
			{ name: "act", value: "n", about: "1: an agent and its program; 2: a team (default: both)" },
			{ name: "interaction", value: "mode", about: "of the team: human-in-the-loop (default) or autonomous" },
		],
		refuses: {
			store: "The demo makes its own store. Say where with --folder <path>.",
			config: "The demo brings its own agent. `holdpoint run` takes yours.",
		},
		load: async () => (await import("./commands/demo.ts")).demo,
	},
	{
		name: "run",
		summary: "give an agent a message and watch it until it is done or waits",
		positionals: [{ name: "message", about: "what the agent is to do; - reads it from standard input" }],
		options: [
			{ name: "agent", value: "name", about: "which agent of the config (default: its only one)" },
			{ name: "session", value: "id", about: "the message belongs to this conversation" },
			{ name: "run-id", value: "id", about: "names this piece of work: the same id and message join it" },
			...model,
		],
		notes: ["Exit code 0: completed. 3: it waits, and the output says for what. 1: it failed."],
		load: async () => (await import("./commands/run.ts")).run,
	},
	{
		name: "chat",
		summary: "talk with an agent or a team, decide what it asks for, leave and come back",
		positionals: [
			{ name: "agent", about: "which agent or team of the config (default: its only one)", optional: true },
		],
		options: [
			{
				name: "session",
				value: "id",
				about: "this conversation (default: your newest one that is open, else a new one)",
			},
			{ name: "new", about: "begin a new one" },
			...model,
			claim,
		],
		notes: [
			"Without a terminal, each line of standard input is a message or a command such as /approve; --json answers with one JSON object a line.",
			"Exit code 0: it is your turn. 3: something else is waited for. 1: it failed.",
		],
		load: async () => (await import("./commands/chat.ts")).chat,
	},
	{
		name: "team",
		summary: "who is in a team, with which tools, and who may hand on to whom",
		positionals: [{ name: "name", about: "which team or agent of the config (default: its only one)", optional: true }],
		options: [{ name: "mermaid", about: "as a Mermaid flowchart" }, ...model],
		load: async () => (await import("./commands/team.ts")).team,
	},
	{
		name: "runs",
		summary: "list runs, the newest first",
		options: [
			{ name: "status", value: "status", about: "running, waiting, completed, failed or cancelled" },
			{ name: "limit", value: "n", about: "how many (default 20)" },
		],
		load: async () => (await import("./commands/runs.ts")).runs,
	},
	{
		name: "show",
		summary: "the timeline of a run, from its verified journal",
		positionals: [{ ...runId, about: `${runId.about} (default: the newest run)`, optional: true }],
		options: carried,
		load: async () => (await import("./commands/show.ts")).show,
	},
	{
		name: "context",
		summary: "what a model was shown at one of a run's answers, by share",
		positionals: [{ ...runId, about: `${runId.about} (default: the newest run)`, optional: true }],
		options: [
			...uncarried,
			{ name: "turn", value: "n", about: "which answer of the run, from 1 (default: the last one)" },
			{ name: "messages", about: "the messages, too, as they were shown" },
		],
		load: async () => (await import("./commands/context.ts")).context,
	},
	{
		name: "trace",
		summary: "where the time of a run went: a waterfall here, or as an HTML file",
		positionals: [{ ...runId, about: `${runId.about} (default: the newest run)`, optional: true }],
		options: [
			{ name: "html", value: "file", about: "write it there, as one file that needs nothing else" },
			{ name: "all", about: "with every commit" },
		],
		notes: [
			"Segments that the trace store has were recorded as they ran; others are derived from the journal, without commits.",
		],
		load: async () => (await import("./commands/trace.ts")).trace,
	},
	{
		name: "approvals",
		summary: "calls that wait for a person, with the program that asks",
		positionals: [{ ...runId, about: "only those of this run", optional: true }],
		options: carried,
		load: async () => (await import("./commands/approvals.ts")).approvals,
	},
	{
		name: "approve",
		summary: "say yes to held calls, and with --always to later ones",
		positionals: [approvalIds],
		options: [
			ofRun,
			{ name: "args", value: "json", about: "execute it with these arguments instead" },
			{ name: "reason", value: "text", about: "kept in the journal" },
			...rowsOfRehearsal,
			...grantOptions,
			claim,
			...carried,
		],
		notes: [
			"Nothing is executed here: resume the run.",
			"With --always, fields that are not named must be what was shown: the whole grant is printed first.",
		],
		load: async () => (await import("./commands/approve.ts")).approve,
	},
	{
		name: "deny",
		summary: "say no to held calls; the program and the model read why",
		positionals: [approvalIds],
		options: [ofRun, { name: "reason", value: "text", about: "why; needed" }, ...rowsOfRehearsal, claim, ...carried],
		load: async () => (await import("./commands/deny.ts")).deny,
	},
	{
		name: "rehearse",
		summary: "what the program of a held call would do, without doing it",
		positionals: [{ name: "approval", about: "id of an approval of a program's call, or the beginning of it" }],
		options: [...model, claim],
		notes: ["Its reads are really made. It prints the command that answers all of it."],
		load: async () => (await import("./commands/rehearse.ts")).rehearse,
	},
	{
		name: "resume",
		summary: "go on with a run, or with every run that is ready",
		positionals: [{ ...runId, optional: true }],
		options: model,
		notes: ["Exit code 0: completed. 3: a run waits again. 1: a run failed."],
		load: async () => (await import("./commands/resume.ts")).resume,
	},
	{
		name: "tell",
		summary: "say something to a run that waits, such as the reply that one of its agents asked for",
		positionals: [runId, { name: "message", about: "what to say; - reads it from standard input" }],
		options: [{ name: "queue", about: "read after the calls that are held now, instead of beside them" }, ...carried],
		notes: ["Nothing goes on here: resume the run, or use `holdpoint chat`."],
		load: async () => (await import("./commands/tell.ts")).tell,
	},
	{
		name: "settle",
		summary: "say what became of a call whose outcome nobody knows",
		positionals: [runId, { name: "call", about: "id of the call, such as c1.7" }],
		options: [
			{ name: "happened", value: "json", about: "it happened, and this is its result (null where it has none)" },
			{ name: "did-not-happen", about: "it was looked into, and it did not happen" },
			claim,
			...carried,
		],
		load: async () => (await import("./commands/settle.ts")).settle,
	},
	{
		name: "cancel",
		summary: "end a run; what was done stays done and is listed",
		positionals: [runId],
		options: [{ name: "reason", value: "text", about: "kept in the journal" }, claim],
		load: async () => (await import("./commands/cancel.ts")).cancel,
	},
	{
		name: "audit",
		summary: "the log of everything that was decided and done: export it, verify it, prove one event, erase a run",
		positionals: [
			{ name: "what", about: "key, checkpoint, export, prove, verify or erase" },
			{ name: "of", about: "a file (export, verify, checkpoint), an event (prove), or a run (erase)", optional: true },
		],
		options: [
			{ name: "key", value: "key", about: "verify: the log's public key, or a file that has it" },
			{ name: "since", value: "file", about: "verify: the checkpoint that was trusted last" },
			{ name: "payloads", about: "export, prove: with what was asked, said and returned" },
			{ name: "yes", about: "erase: it cannot be undone" },
			claim,
		],
		notes: [
			"key: prints the public key. checkpoint: signs what the log has now; keep it elsewhere.",
			"export <file>: the log as lines of JSON. prove <run>/<n>: what proves one event.",
			"verify <file> --key <key>: needs no store. Exit code 0: nothing is wrong. 1: each finding has a name.",
			"erase <run> --yes: drops what a finished run said and did; its leaves stay.",
		],
		load: async () => (await import("./commands/audit.ts")).audit,
	},
	{
		name: "memory",
		summary: "what agents keep beyond a run: list it, search it, export and import it, forget a person",
		positionals: [
			{ name: "what", about: "list, show, search, delete, export, import or forget" },
			{ name: "of", about: "a name (show, delete), words (search), or a folder (export, import)", optional: true },
		],
		options: [
			{ name: "principal", value: "name", about: "whose memory (default: yours)" },
			{ name: "session", value: "id", about: "memory of this session instead" },
			{ name: "run", value: "run", about: "what this run noted: in its session, or by itself where it has none" },
			{ name: "tenant", value: "id", about: "of this tenant" },
			{ name: "limit", value: "n", about: "list: how many (default 100)" },
			{ name: "yes", about: "forget: it cannot be undone" },
			claim,
			...carried,
		],
		notes: [
			"export <folder>: a file for each entry.",
			"import <folder>: what this store exported for the same principal keeps its author and its label; everything else is untrusted.",
			"forget --principal <name> --yes: all that was written on behalf of a person, in sessions, too.",
		],
		load: async () => (await import("./commands/memory.ts")).memory,
	},
	{
		name: "policy",
		summary: "check the policy of the config, test it with cases, or explain a decision",
		positionals: [
			{ name: "what", about: "check, test or explain" },
			{ name: "subject", about: "test: file of the cases (default cases.yaml); explain: the run", optional: true },
			{ name: "call", about: "explain: id of the call, such as c1.7", optional: true },
		],
		options: [
			{ name: "tool", value: "name", about: "explain a call that nobody made: of this tool" },
			{ name: "args", value: "json", about: "… with these arguments" },
			{ name: "agent", value: "name", about: "… by this agent (default: the only one)" },
			{ name: "principal", value: "name", about: "… on whose behalf" },
			{ name: "tenant", value: "id", about: "… of this tenant" },
			{ name: "session", value: "id", about: "… in this session" },
			{ name: "via", value: "way", about: "… by the model, or by a program (default model)" },
			...carried,
		],
		notes: [
			"check     what is wrong with it, and which arguments of each tool a policy can name",
			"test      exit code 1 where a case is decided otherwise than it expects",
			"explain   <run> <call>, or <call> of the newest run, or --tool <name> --args <json>",
		],
		load: async () => (await import("./commands/policy.ts")).policy,
	},
	{
		name: "grants",
		summary: "what was granted for good, and what is switched off",
		options: carried,
		load: async () => (await import("./commands/grants.ts")).grants,
	},
	{
		name: "revoke",
		summary: "take a standing grant back",
		positionals: [{ name: "grant", about: "id of the grant, or the beginning of it" }],
		options: [claim],
		load: async () => (await import("./commands/revoke.ts")).revoke,
	},
	{
		name: "off",
		summary: "kill switch: deny a tool, an agent, a tenant or everything from now on",
		positionals: switchNames,
		options: [{ name: "reason", value: "text", about: "why; needed" }, claim, ...carried],
		notes: ["It holds for every run of this store, running ones included. `holdpoint grants` lists it."],
		load: async () => (await import("./commands/switch.ts")).off,
	},
	{
		name: "on",
		summary: "let run again what was switched off",
		positionals: switchNames,
		options: [claim],
		load: async () => (await import("./commands/switch.ts")).on,
	},
	{
		name: "webhooks",
		summary: "what is still to be told to the webhooks of the config",
		options: [
			{ name: "deliver", about: "look what happened, and send what is due" },
			{ name: "retry", about: "send what was given up, too, and what waits for its next attempt" },
			...carried,
		],
		load: async () => (await import("./commands/webhooks.ts")).webhooks,
	},
	{
		name: "budgets",
		summary: "what runs may spend together, and what of it is used",
		load: async () => (await import("./commands/budgets.ts")).budgets,
	},
	{
		name: "doctor",
		summary: "which sandbox, store, keys and models this machine has, and how to mend what is missing",
		load: async () => (await import("./commands/doctor.ts")).doctor,
	},
];
