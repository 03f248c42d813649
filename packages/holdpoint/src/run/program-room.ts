/**
 * Where a program runs. A sandbox whose guests cannot be written down asks this before anything of the program runs.
 *
 * It is foresight and no guarantee: a policy may ask where it was not expected to, and a program may reach a tool that its
 * text does not name. Nothing rests on it: such a program waits without a snapshot, and is replayed.
 */
import type { PreparedProgram } from "../sandbox/prepare-program.ts";
import type { SandboxProvider } from "../spec/sandbox.ts";
import type { Tool } from "../spec/tool.ts";
import type { CallState } from "./call-state.ts";
import type { Segment } from "./segment.ts";

interface Refused {
	readonly refused: string;
}

type Calls = Pick<Extract<PreparedProgram, { ok: true }>, "calls" | "callsOthers">;

interface Room {
	/** The program. */
	readonly call: CallState;
	readonly program: Calls;
}

const namedMax = 5;

/** The sandbox itself, the one that it names for programs that may have to wait, or why there is none. */
export function roomFor(
	segment: Segment,
	sandbox: SandboxProvider,
	{ call, program }: Room,
): SandboxProvider | Refused {
	const { name, whenHeld } = sandbox;
	if (whenHeld === undefined) return sandbox;
	const ready = segment.readyOf(call.thread);
	const names = program.callsOthers ? [...ready.programTools] : program.calls;
	const tools = names.flatMap((each) => ready.tools.get(each) ?? []);
	const { agent } = call.thread;
	const held = tools.filter((tool) => mayBeHeld(segment, agent, tool));
	if (held.length === 0) return sandbox;
	if (whenHeld !== "refuse") return whenHeld;
	const shown = held.slice(0, namedMax).map((tool) => `${tool.name} (${tool.effect})`);
	if (held.length > namedMax) shown.push(`and ${held.length - namedMax} more`);
	const may = program.callsOthers ? "it does not say which tools it calls, and may call" : "it may call";
	return {
		refused: `The program was not started: ${may} ${shown.join(", ")}, which a person may have to approve, and the sandbox ${name} cannot wait in the middle of a program`,
	};
}

/** What fails, or is no answer, may be held. */
function mayBeHeld(segment: Segment, agent: string, asked: Tool): boolean {
	// What it does is its own affair, and may wait for anything.
	if (asked.agent) return true;
	const { name, version, effect, tags, labels } = asked;
	const { policy, labels: rules } = segment.ports;
	const changes = effect !== "read" && effect !== "internal";
	// What was read by then may have a label that is asked about, whatever the policy says.
	if (rules && (changes || (effect === "read" && !labels?.audience))) return true;
	if (!policy.mayAsk) return changes;
	const { principal } = segment.info;
	try {
		const tool = { name, version, effect, tags, labels };
		return policy.mayAsk({ agent, principal, tenant: segment.state.started?.tenant, tool }) !== false;
	} catch {
		return true;
	}
}
