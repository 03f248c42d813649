/**
 * The doors through which people reach a run: approvals, settling, messages, cancellation. Each leaves a sealed signal;
 * none of them executes anything. What it is worth is judged by the run's one writer (`take-signals.ts`).
 */
import { authorityOf, whyUncounted } from "../approvals/authority.ts";
import { lacking, needOf } from "../approvals/need.ts";
import { termsProblem } from "../grants/grant.ts";
import { tooManyGrants } from "../grants/standing.ts";
import { runSeal } from "../journal/journal.ts";
import { canonicalJson } from "../kit/canonical-json.ts";
import { newId } from "../kit/id.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { codeInside } from "../sandbox/fenced-code.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { Approver, Outcome } from "../spec/events.ts";
import type { GrantTerms } from "../spec/governance.ts";
import type { Json } from "../spec/json.ts";
import { defaultLimits, fixedLimits, type Limits } from "../spec/limits.ts";
import type { Wait } from "../spec/result.ts";
import type { Signal } from "../spec/signals.ts";
import type { ApprovalRow } from "../spec/store.ts";
import type { Tool } from "../spec/tool.ts";
import { type CallEnd, endOf } from "./call-end.ts";
import type { ApprovalAnswer, CallState } from "./call-state.ts";
import { canonicalArguments } from "./canonical-arguments.ts";
import { waitsOf } from "./conclude.ts";
import { openRun } from "./open-run.ts";
import { Redactor } from "./redactor.ts";
import { type RehearsalView, rehearsalOf, rowsAnswered } from "./rehearsal-view.ts";
import type { RunPorts } from "./run-ports.ts";
import { callOf, type RunState } from "./run-state.ts";

/** A held call as the person who decides sees it; read from the sealed journal, not from the index. */
export interface OpenApproval extends Omit<Extract<Wait, { kind: "approval" }>, "kind" | "program"> {
	readonly run: string;
	/** The team that its agent works in, or the agent that put the work to it. */
	readonly of?: string;
	readonly principal: string;
	readonly requestedAt: number;
	readonly digest: string;
	readonly answeredBy: readonly Approver[];
	/** Answers that were left and that the run has not read yet: resume it. */
	readonly unread: readonly { readonly by: Approver; readonly answer: "approve" | "deny" | "edit" }[];
	/** Its run cannot be read, so that it cannot be answered: why. Only what the index says is shown then. */
	readonly problem?: string;
	/** The program that asks, its source and the line; what it did so far. */
	readonly program?: {
		readonly call: string;
		readonly line: number;
		readonly source: string;
		readonly done: readonly DoneCall[];
	};
	/** What the program would do, where that was found out. */
	readonly rehearsal?: RehearsalView;
}

export interface DoneCall {
	readonly tool: string;
	readonly args: Json;
	readonly outcome: CallEnd;
}

export interface ApprovalsQuery {
	readonly run?: string;
	/** The id of one, or its beginning. */
	readonly approval?: string;
	readonly limit?: number;
}

/** Open approvals, oldest first. A row whose run says otherwise is left out: the index is only for finding. */
export async function openApprovals(
	ports: RunPorts,
	{ run, approval, limit }: ApprovalsQuery,
): Promise<OpenApproval[]> {
	const rows = await ports.store.approvals({
		...(run === undefined ? {} : { run }),
		...(approval === undefined ? {} : { prefix: approval }),
		...(limit === undefined ? {} : { limit }),
	});
	const views = new Map<string, RunView | HoldpointError>();
	const found: OpenApproval[] = [];
	for (const row of rows) {
		const view = views.get(row.run) ?? (await viewOf(ports, row.run).catch(asProblem));
		views.set(row.run, view);
		const approval = isHoldpointError(view) ? unreadable(row, view) : approvalOf(view, row);
		if (approval) found.push(approval);
	}
	return found;
}

/** One run that cannot be read (tampered with, sealed with a key that is not here) must not hide the others. */
function asProblem(error: unknown): HoldpointError {
	if (isHoldpointError(error) && error.code.startsWith("journal.")) return error;
	throw error;
}

function unreadable(row: ApprovalRow, { message }: HoldpointError): OpenApproval {
	const { approval, run, call, tool, requestedAt, expiresAt } = row;
	const shown = { approval, run, call, tool, requestedAt, expiresAt, args: null, problem: message };
	return { ...shown, reason: "", ask: {}, agent: "", principal: "", digest: "", answeredBy: [], unread: [] };
}

type Answer = Extract<Signal, { kind: "answer" }>;

interface RunView {
	readonly state: RunState;
	/** Whoever decides sees whom it is about, and no secret. */
	readonly redactor: Redactor;
	/** What was said to the run and not read yet. */
	readonly unread: readonly Signal[];
	/** A key that is not here, and under which something was said: it may be a no. */
	readonly foreignKey: string | undefined;
}

async function viewOf(ports: RunPorts, run: string): Promise<RunView> {
	const stored = await ports.store.load(run);
	if (!stored) throw new HoldpointError("run.unknown", `There is no run ${run} in this store`, { details: { run } });
	const seal = runSeal(ports.ring, ports.storeId, run);
	const received = stored.signals.map((raw) => seal.openSignal(raw));
	const unread = received.flatMap(({ signal }) => signal ?? []);
	const foreignKey = received.find((one) => one.foreignKey !== undefined)?.foreignKey;
	const opened = await openRun(ports, stored);
	return { state: opened.state, redactor: Redactor.ofRun(opened, "secret"), unread, foreignKey };
}

/** Unread answers to what is asked now; those to other arguments will not count. */
function unreadAnswers({ unread }: RunView, approval: string, digest: string): Answer[] {
	return unread.filter(
		(one): one is Answer => one.kind === "answer" && one.approval === approval && one.digest === digest,
	);
}

function approvalOf(view: RunView, row: ApprovalRow): OpenApproval | undefined {
	const { state, redactor } = view;
	const wait = waitsOf(state).find((one) => one.kind === "approval" && one.approval === row.approval);
	if (wait?.kind !== "approval") return undefined;
	const call = callOf(state, wait.call);
	const { kind: _kind, program, ...shown } = wait;
	return {
		...shown,
		args: redactor.value(shown.args, wait.call),
		reason: redactor.text(shown.reason),
		run: state.run,
		...(state.started && state.started.agent.name !== shown.agent ? { of: state.started.agent.name } : {}),
		principal: state.started?.principal ?? "",
		requestedAt: row.requestedAt,
		digest: call.digest,
		answeredBy: call.approval?.answers.map((answer) => answer.by) ?? [],
		unread: unreadAnswers(view, row.approval, call.digest).map(({ by, answer }) => ({ by, answer })),
		...(program ? { program: { ...program, ...programView(view, program.call) } } : {}),
		...rehearsalOf(view, call),
	};
}

function programView(
	{ state, redactor }: RunView,
	id: string,
): { readonly source: string; readonly done: readonly DoneCall[] } {
	const program = callOf(state, id);
	const args = program.args as { readonly code?: string } | undefined;
	const done = (program.program?.asks ?? []).map((ask) => doneCall(callOf(state, ask), redactor));
	// Lines count in the code, a Markdown fence around it apart.
	return { source: redactor.text(codeInside(args?.code ?? "")), done };
}

function doneCall(call: CallState, redactor: Redactor): DoneCall {
	const args = redactor.value(call.args ?? call.asked ?? null, call.id);
	return { tool: call.tool, args, outcome: endOf(call) };
}

export interface AnswerRequest {
	readonly approval: string;
	readonly answer: "approve" | "deny" | "edit";
	readonly by: Approver;
	/** Of what was shown: a call that is another one by now is not answered. */
	readonly digest?: string;
	readonly reason?: string;
	readonly args?: Json;
	/** A standing grant that goes with a yes. */
	readonly always?: GrantTerms;
	/** Rows of the rehearsal, from 0; `all`: those that need an answer. */
	readonly rows?: readonly number[] | "all";
	/** Digest of the rehearsal that was seen; needed with rows. */
	readonly rehearsal?: string;
	/** The rows hold in their order only. */
	readonly inOrder?: boolean;
	/** The agent that asks in the runs of the owner, where both are known here: an answer that would be worth nothing is refused at once. */
	readonly knownAgent?: (owner: string, name: string) => KnownAgent | undefined;
}

interface KnownAgent {
	readonly tools: ReadonlyMap<string, Tool>;
	readonly limits: Limits;
}

/**
 * Leaves an answer for the run. The id may be shortened while it stays unambiguous. Returns the run that will judge it.
 * Errors: `approval.unknown`, `approval.closed`, `approval.forbidden`, `approval.invalid`.
 */
export async function answerApproval(
	ports: RunPorts,
	request: AnswerRequest,
): Promise<{ readonly run: string; readonly approval: string }> {
	checkPerson(request.by);
	const row = await findRow(ports, request.approval);
	const view = await viewOf(ports, row.run);
	const open = approvalOf(view, row);
	if (!open)
		throw new HoldpointError("approval.closed", `Approval ${row.approval} is no longer open`, {
			details: { run: row.run },
		});
	const now = ports.clock.now();
	if (now >= open.expiresAt) {
		throw new HoldpointError(
			"approval.closed",
			`Approval ${row.approval} expired at ${new Date(open.expiresAt).toISOString()}`,
		);
	}
	if (request.digest !== undefined && request.digest !== open.digest) {
		const what = `The call of approval ${row.approval} is not the one that was shown any more`;
		throw new HoldpointError("approval.invalid", what, { details: { run: row.run } });
	}
	if (view.foreignKey !== undefined && request.answer !== "deny") {
		const what = `Something that was said to run ${row.run} is sealed with the key "${view.foreignKey}", which is not here`;
		throw new HoldpointError("journal.key_missing", `${what}: it may be a denial`, { details: { run: row.run } });
	}
	const { tools, limits } = request.knownAgent?.(open.of ?? open.agent, open.agent) ?? {
		tools: undefined,
		limits: defaultLimits,
	};
	const answers = callOf(view.state, open.call).approval?.answers ?? [];
	const isFresh = ({ at }: { readonly at: number }) => at > now - limits.approvalSpendWithinMs;
	const unread = unreadAnswers(view, open.approval, open.digest);
	const counting = unread.filter((answer) => answer.answer === "deny" || isFresh(answer));
	refuseInVain({ request, open, counted: answers.filter(isFresh), unread: counting });
	await refuseWithoutSay(ports, request, { open, state: view.state, timeoutMs: limits.policyTimeoutMs });
	if (request.args !== undefined) await checkEdit(open, request.args, { tool: tools?.get(open.tool), limits });
	if (request.always) {
		await ports.standing.refresh();
		if (ports.standing.isFull) throw tooManyGrants();
		checkTerms(request.always, view, {
			open,
			args: request.args ?? callOf(view.state, open.call).args ?? null,
			tool: tools?.get(open.tool),
		});
	}
	const rehearsal = request.rows && rowsAnswered(open, request);
	await leaveSignal(ports, row.run, {
		kind: "answer",
		approval: row.approval,
		answer: request.answer,
		digest: open.digest,
		by: request.by,
		at: now,
		...(request.reason ? { reason: request.reason } : {}),
		...(request.args === undefined ? {} : { args: request.args }),
		...(request.always ? { always: request.always } : {}),
		...(rehearsal ? { rehearsal } : {}),
	});
	return { run: row.run, approval: row.approval };
}

interface Granting {
	readonly open: OpenApproval;
	readonly args: Json;
	readonly tool: Tool | undefined;
}

/** What cannot be granted is said before anybody believes that it was. Errors: `grant.invalid`. */
function checkTerms(always: GrantTerms, { state }: RunView, { open, args, tool }: Granting): void {
	const { agent, principal, approval } = open;
	const { tenant, session } = state.started ?? {};
	const call = { tool: open.tool, version: tool?.version ?? "", args, agent, principal, tenant, session: session?.id };
	const problem = termsProblem(always, call);
	if (problem)
		throw new HoldpointError("grant.invalid", `It cannot be granted for good: ${problem}`, { details: { approval } });
}

interface Answering {
	readonly request: AnswerRequest;
	readonly open: OpenApproval;
	/** Answers that the run has read and that count still. */
	readonly counted: readonly ApprovalAnswer[];
	readonly unread: readonly Answer[];
}

/**
 * Whoever answers must not believe that it counts when it will not: the run judges unread answers in the order of
 * `inOrder` (take-signals.ts), and so does this. Errors: `approval.closed`, `approval.forbidden`.
 */
function refuseInVain({ request, open, counted, unread }: Answering): void {
	const { approval, run, ask } = open;
	if (request.answer !== "deny" && needOf(ask, open.principal).except?.includes(request.by.id)) {
		const what = `Approval ${approval} was asked for on behalf of ${request.by.id}`;
		throw new HoldpointError("approval.forbidden", what, {
			hint: "Another person must answer.",
			details: { run, approval },
		});
	}
	const edit = unread.find(({ answer }) => answer === "edit");
	const yes = [...counted, ...unread.filter(({ answer }) => answer === "approve")];
	// With roles, whom they cover is known where the run is advanced, and it judges.
	const isCovered = !ask.roles?.length && lacking(needOf(ask, open.principal), yes) === undefined;
	const no = unread.find(({ answer }) => answer === "deny");
	const last = no ?? (request.answer === "deny" ? undefined : (edit ?? (isCovered ? yes.at(-1) : undefined)));
	if (last) {
		const did = last === no ? "denied it" : last === edit ? "approved it with other arguments" : "approved it";
		throw new HoldpointError("approval.closed", `Approval ${approval} is answered: ${last.by.id} ${did} before`, {
			hint: `Nothing more is needed. Resume run ${run}: it reads the answer then.`,
			details: { run, approval, by: last.by.id },
		});
	}
	if (request.answer === "approve" && yes.some(({ by }) => by.id === request.by.id)) {
		const isUnread = unread.some(({ by }) => by.id === request.by.id);
		throw new HoldpointError("approval.forbidden", `${request.by.id} has answered approval ${approval} already`, {
			...(isUnread ? { hint: `Resume run ${run}. If it still waits then, another person must answer.` } : {}),
			details: { run, approval },
		});
	}
}

interface Saying {
	readonly open: OpenApproval;
	readonly state: RunState;
	readonly timeoutMs: number;
}

/** The same question that the run asks when it reads the answer. A door that has no approvers leaves it to the run. */
async function refuseWithoutSay(
	{ approvers, clock }: RunPorts,
	{ by, answer, args }: AnswerRequest,
	{ open, state, timeoutMs }: Saying,
): Promise<void> {
	const { approval, run, tool, agent, principal } = open;
	const { escalation, ...need } = callOf(state, open.call).approval ?? {};
	if (!approvers || !("roles" in need)) return;
	const about = { tool, args: args ?? open.args, agent, principal, tenant: state.started?.tenant, answer };
	const authority = await authorityOf(approvers, { by, about, timeoutMs });
	// Whether a denial is worth something is no question while nothing is known.
	if (answer === "deny" && (authority.isUnknown || authority.refused === undefined)) return;
	const isEscalated = escalation !== undefined && clock.now() >= escalation.at;
	const why = whyUncounted(isEscalated ? { ...need, substitutes: escalation.roles } : need, by, authority);
	if (why === undefined) return;
	throw new HoldpointError(
		"approval.forbidden",
		`The answer of ${by.id} to approval ${approval} would count for nothing: ${why}`,
		{
			details: { run, approval, by: by.id },
		},
	);
}

/** Whoever has no name would count as one person with everybody else who has none. */
function checkPerson(by: Approver): void {
	if (typeof by?.id === "string" && by.id !== "" && by.id.length <= fixedLimits.personCharsMax) return;
	throw new HoldpointError("approval.invalid", "The person who answers has no id", { hint: "Pass `by: { id, via }`." });
}

async function checkEdit(
	open: OpenApproval,
	args: Json,
	known: { tool: Tool | undefined; limits: Limits },
): Promise<void> {
	const details = { approval: open.approval };
	try {
		canonicalJson(args);
	} catch (cause) {
		throw new HoldpointError("approval.invalid", `The edited arguments are no JSON: ${reasonOf(cause)}`, {
			cause,
			details,
		});
	}
	if (!known.tool) return;
	const parsed = await canonicalArguments(known.tool, args, {
		bytesMax: known.limits.argsBytesMax,
		patience: { timeoutMs: known.limits.validationTimeoutMs },
	});
	if (!parsed.ok) throw new HoldpointError("approval.invalid", parsed.message, { details });
}

async function findRow(ports: RunPorts, id: string): Promise<ApprovalRow> {
	const rows = id === "" ? [] : await ports.store.approvals({ prefix: id, limit: 2 });
	const [row] = rows;
	if (!row)
		throw new HoldpointError("approval.unknown", `No open approval has the id ${id}`, { details: { approval: id } });
	const exact = rows.find((one) => one.approval === id);
	if (rows.length > 1 && !exact)
		throw new HoldpointError("approval.unknown", `More than one open approval begins with ${id}`);
	return exact ?? row;
}

/** Returns the run that will carry it out. Errors: `approval.unknown`, `approval.invalid`. */
export async function askForRehearsal(ports: RunPorts, approval: string, by: string): Promise<string> {
	const row = await findRow(ports, approval);
	const { state } = await viewOf(ports, row.run);
	const program = state.calls.get(row.call)?.parent;
	if (program === undefined) {
		const what = `Approval ${row.approval} is of a call that no program made: there is nothing to rehearse`;
		throw new HoldpointError("approval.invalid", what, { details: { run: row.run } });
	}
	await leaveSignal(ports, row.run, { kind: "rehearse", call: program, by, at: ports.clock.now() });
	return row.run;
}

export interface SettleRequest {
	readonly call: string;
	readonly outcome: Outcome;
	readonly by: Approver;
}

/** Leaves what somebody found out about a call. Errors: `settle.invalid`, `run.unknown`, `journal.*`. */
export async function settleCall(ports: RunPorts, run: string, { call, outcome, by }: SettleRequest): Promise<void> {
	const { state, unread } = await viewOf(ports, run);
	const details = { run, call };
	if (state.status !== "running" || state.calls.get(call)?.phase !== "unknown")
		throw new HoldpointError("settle.invalid", `The outcome of call ${call} of run ${run} is not unknown`, { details });
	const before = unread.find((one) => one.kind === "settle" && one.call === call);
	if (before?.kind === "settle") {
		const said = "ok" in before.outcome ? "it happened" : "it did not happen, or was refused";
		throw new HoldpointError("settle.invalid", `${before.by.id} has said already of call ${call} that ${said}`, {
			hint: `Resume run ${run}: it goes on with that.`,
			details: { ...details, by: before.by.id },
		});
	}
	await leaveSignal(ports, run, { kind: "settle", call, outcome, by, at: ports.clock.now() });
}

/**
 * Whoever cannot read a run cannot say anything to it either: it would be sealed with a key that its worker may not have.
 * Errors: `run.unknown`, `run.over` (a message that nobody would read), `journal.*`.
 */
export async function checkReach(ports: RunPorts, run: string, { kind }: Signal): Promise<void> {
	const { state } = await viewOf(ports, run);
	if (kind !== "message" || state.status === "running" || state.started?.session) return;
	throw new HoldpointError("run.over", `Run ${run} is ${state.status}: it reads nothing any more`, {
		details: { run },
	});
}

/** Stored even if nobody waits; returns its id. Errors: `run.unknown`. */
export async function leaveSignal(ports: RunPorts, run: string, signal: Signal): Promise<string> {
	const id = newId("sig", ports.clock.now());
	await storeSignal(ports, run, { id, signal });
	return id;
}

/** The same id is stored once. Errors: `run.unknown`. */
export async function storeSignal(
	ports: RunPorts,
	run: string,
	{ id, signal }: { readonly id: string; readonly signal: Signal },
): Promise<void> {
	const sealed = runSeal(ports.ring, ports.storeId, run).signal(id, signal);
	// A flood of messages must not lock out the people who decide.
	const max = signal.kind === "message" ? ports.signalsMax : 2 * ports.signalsMax;
	await ports.store.commit(run, 0, [{ kind: "signal", signal: sealed, max }]);
}
