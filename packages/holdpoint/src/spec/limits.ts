/**
 * I8: every loop and every resource has a limit, compared with `>=`, with a default, documented in one place.
 * This is the place; `docs/reference/limits.md` is checked against it.
 */
export interface Limits {
	/** Model answers in one run. */
	readonly turnsMax: number;
	/** Tool calls in one run, those of programs included. */
	readonly callsMax: number;
	/** Tool calls that run at the same time. */
	readonly concurrencyMax: number;
	/** How often a repeatable or keyed call is tried when its outcome stayed unknown. */
	readonly attemptsMax: number;
	/** One tool call. A tool's own `timeoutMs` goes before it. Milliseconds. */
	readonly toolTimeoutMs: number;
	/** One decision of a policy. Milliseconds. */
	readonly policyTimeoutMs: number;
	/** What an asynchronous schema makes of one value, or one `prepareCall`. Milliseconds. */
	readonly validationTimeoutMs: number;
	/** Canonical arguments of one call. Bytes. */
	readonly argsBytesMax: number;
	/** Result of one call. Bytes. */
	readonly resultBytesMax: number;
	/** A result above this is stored beside the journal, which keeps its digest. Bytes. */
	readonly inlineBytesMax: number;
	/** One message of a user. Bytes. */
	readonly inputBytesMax: number;
	/** One answer of the model. Bytes. */
	readonly answerBytesMax: number;
	/** How long a call may stay held. Milliseconds. */
	readonly approvalExpiresInMs: number;
	/** How long an answer may stay unspent. Milliseconds. */
	readonly approvalSpendWithinMs: number;
	/** Attempts of one model call. */
	readonly modelAttemptsMax: number;
	/** One model call. Milliseconds. */
	readonly modelTimeoutMs: number;
	/** Tokens of one answer where a budget counts them and the agent's settings say no `maxOutputTokens`. */
	readonly modelOutputTokensMax: number;
	/** A provider's `retry-after` above this is a durable wait and not an idle process. Milliseconds. */
	readonly modelWaitInlineMs: number;
	/** Such waits in a row. */
	readonly modelWaitsMax: number;
	/** Lease of a run; the heartbeat is a third of it. Milliseconds. */
	readonly leaseMs: number;
	/** Messages that one run may have unread; twice as many with answers and cancellations. Not set per agent. */
	readonly signalsMax: number;
	/** Runs of a session that the model still sees; what was said in older ones is left out. Not set per agent. */
	readonly sessionRunsMax: number;
	/** Events that a slow reader of a stream may leave unread before the run waits for it. */
	readonly streamBufferMax: number;
	/** How deep agents may put calls to other agents: 1 is an agent that is a tool of the run's own. */
	readonly depthMax: number;
	/** Agents that work in the background of a run at the same time; and those that work for one program, whose further calls wait. */
	readonly backgroundMax: number;
}

export const defaultLimits: Limits = {
	turnsMax: 40,
	callsMax: 1_000,
	concurrencyMax: 8,
	attemptsMax: 3,
	toolTimeoutMs: 60_000,
	policyTimeoutMs: 5_000,
	validationTimeoutMs: 5_000,
	argsBytesMax: 1_048_576,
	resultBytesMax: 8_388_608,
	inlineBytesMax: 16_384,
	inputBytesMax: 1_048_576,
	answerBytesMax: 4_194_304,
	approvalExpiresInMs: 72 * 3_600_000,
	approvalSpendWithinMs: 24 * 3_600_000,
	modelAttemptsMax: 4,
	modelTimeoutMs: 300_000,
	modelOutputTokensMax: 16_384,
	modelWaitInlineMs: 20_000,
	modelWaitsMax: 20,
	leaseMs: 30_000,
	signalsMax: 1_000,
	sessionRunsMax: 1_000,
	streamBufferMax: 256,
	depthMax: 3,
	backgroundMax: 8,
};

/** Bounds of teams. Each team sets its own where it is made. */
export interface TeamLimits {
	/** Answers of models between two words of the user, all agents together (`turnsMax` of a team's limits). */
	readonly turnsMax: number;
	/** Handoffs between two words of the user; rounds of a group chat. */
	readonly handoffsMax: number;
	/** How often an autonomous agent goes on after an answer without a handoff, before the user is asked. */
	readonly autonomousTurnsMax: number;
	/** How often work may be returned in a pipeline. */
	readonly returnsMax: number;
	/** What whoever takes over is told of results. Tokens. */
	readonly carryTokensMax: number;
	/** How long a termination condition, a chooser or a join may take. Milliseconds. */
	readonly conditionTimeoutMs: number;
}

export const defaultTeamLimits: TeamLimits = {
	turnsMax: 400,
	handoffsMax: 20,
	autonomousTurnsMax: 50,
	returnsMax: 3,
	carryTokensMax: 4_000,
	conditionTimeoutMs: 10_000,
};

/** What a harness agent shows and repeats. Each agent sets its own where it is made. */
export interface HarnessAgentLimits {
	/** Kept free for the answer (`context.answerTokens`), at most a quarter of the window; more where the agent's settings allow an answer more. Tokens. */
	readonly answerTokens: number;
	/** The share of the rest of the window from which on what is shown is made smaller (`context.compactAt`). */
	readonly compactAt: number;
	/** What is shown of one result (`context.resultTokensMax`). Tokens. */
	readonly resultTokensMax: number;
	/** What names and first lines of memory may take of the context, ids and numbers counted as what they are (`memory.indexTokensMax`); 0: none are shown. Tokens. */
	readonly indexTokensMax: number;
	/** Answers in a row whose calls all failed, before the last answer is asked for (`lastAnswer.failedTurnsMax`). */
	readonly failedTurnsMax: number;
	/** How often a loop sends an answer back (`loop.roundsMax`). */
	readonly roundsMax: number;
}

export const defaultHarnessAgentLimits: HarnessAgentLimits = {
	answerTokens: 16_384,
	compactAt: 0.8,
	resultTokensMax: 4_000,
	indexTokensMax: 400,
	failedTurnsMax: 3,
	roundsMax: 10,
};

/** What nobody sets: bounds that keep a mistake small, and times that only have to be long enough. */
export interface FixedLimits {
	/** How long tools in flight may take to stop when their run is cancelled. Milliseconds. */
	readonly cancelGraceMs: number;
	/** How long runs may take to stop when their harness is closed. Milliseconds. */
	readonly closeGraceMs: number;
	/** How long `onCheckpoint` is waited for; what it does is not ended. Milliseconds. */
	readonly onCheckpointMs: number;
	/** How often the model is asked to mend an empty answer, or one that does not fit the output schema. */
	readonly repairsMax: number;
	/** How often a program is brought back whose guest was lost with that of another one. */
	readonly guestLossesMax: number;
	/** Guests of one sandbox that were moved out of their virtual machines; one beyond is replayed. Compressed bytes. */
	readonly movedGuestsBytesMax: number;
	/** What a model reads of a tool's error. Characters. */
	readonly errorCharsMax: number;
	/** Runs of a session that one message may meet while others are faster. */
	readonly sendStepsMax: number;
	/** The id of a person who answers. Characters. */
	readonly personCharsMax: number;
	/** People whom a policy may ask for, for each role. */
	readonly askPeopleMax: number;
	/** Roles that a policy may ask for. */
	readonly askRolesMax: number;
	/** A policy's `expiresInMs`. Milliseconds. */
	readonly askExpiryMsMax: number;
	/** The texts of one Cedar policy. Bytes. */
	readonly policyBytesMax: number;
	/** Files of one Cedar policy. */
	readonly policyFilesMax: number;
	/** Decisions that a Cedar policy remembers; the oldest goes first. */
	readonly policyCacheMax: number;
	/** A request above this is not remembered. Characters. */
	readonly policyCacheKeyCharsMax: number;
	/** How long a changed policy file must have been left alone before it counts. Milliseconds. */
	readonly policySettleMs: number;
	/** Decisions that wait for the shadow policy; one beyond is not compared, and counted. */
	readonly policyShadowMax: number;
	/** A provider's `retry-after` counts up to this. Milliseconds. */
	readonly retryAfterMsMax: number;
	/** The first pause between the attempts of a model call; each is twice the one before. Milliseconds. */
	readonly backoffFirstMs: number;
	/** The longest of these pauses. Milliseconds. */
	readonly backoffMaxMs: number;
	/** How often a policy that became another one while it decided is asked again about that call; then it is denied. */
	readonly policyChangesMax: number;
	/** Nesting of every value from outside: arguments, results, answers. */
	readonly jsonDepthMax: number;
	/** One entry of the journal, or one signal. Characters. */
	readonly bodyCharsMax: number;
	/** One body that is kept beside the journal. Bytes. */
	readonly blobBytesMax: number;
	/** Writes in one commit. */
	readonly writesMax: number;
	/** Rows of one query. */
	readonly queryLimitMax: number;
	/** Ids of runs, calls, approvals, signals and sessions. Characters. */
	readonly idCharsMax: number;
	/** Calls that one rehearsal follows. */
	readonly rehearsalCallsMax: number;
	/** What its rows hold. Characters. */
	readonly rehearsalCharsMax: number;
	/** Rehearsals of one program. */
	readonly rehearsalsMax: number;
	/** Rows of a rehearsal on the page of a decision link; those beyond cannot be approved there. */
	readonly linkRowsMax: number;
	/** Arguments of one such row; a row with more cannot be approved there. Characters. */
	readonly linkRowCharsMax: number;
	/** The file of the approvers. Characters. */
	readonly approversCharsMax: number;
	/** How long a standing grant holds where its giver does not say. Milliseconds. */
	readonly grantExpiresInMs: number;
	/** The longest that one may hold. Milliseconds. */
	readonly grantExpiresInMsMax: number;
	/** Calls that one grant may cover. */
	readonly grantUsesMax: number;
	/** The arguments that one grant covers. Characters. */
	readonly grantCharsMax: number;
	/** How long an ended grant is remembered: by so much a clock may be put back. Milliseconds. */
	readonly standingGraceMs: number;
	/** Grants of one store at a time, and kill switches. */
	readonly standingMax: number;
	/** How often a change of a shared document is tried while others change it too. */
	readonly documentTriesMax: number;
	/** One attempt to tell a webhook something, where it does not say otherwise. Milliseconds. */
	readonly webhookTimeoutMs: number;
	/** Messages pending for one webhook; what happens beyond that waits in the journals. */
	readonly webhookPendingMax: number;
	/** Messages that one process takes at a time. */
	readonly webhookBatchMax: number;
	/** Messages on their way to one webhook at the same time. */
	readonly webhookConcurrencyMax: number;
	/** How often one delivery takes another batch. */
	readonly webhookRoundsMax: number;
	/** How long a message that a process took is left to it. Milliseconds. */
	readonly webhookClaimMs: number;
	/** By how much the clocks of processes that write runs may differ without a message being lost. Milliseconds. */
	readonly webhookSlackMs: number;
	/** The longest pause of `keepDelivering` where it is not told otherwise. Milliseconds. */
	readonly webhookEveryMs: number;
	/** Given up messages that are remembered for each webhook. */
	readonly webhookFailedMax: number;
	/** Budgets of one harness. */
	readonly budgetsMax: number;
	/** All of their definitions together. Characters. */
	readonly budgetsCharsMax: number;
	/** Accounts of budgets and grants that ended and are kept; beyond them those that ended first are forgotten. */
	readonly accountsEndedMax: number;
	/** With each so many new accounts, that is looked after, and at most twice as many are forgotten. */
	readonly accountsSweepEvery: number;
	/** Name of an entry of memory. Characters. */
	readonly memoryNameCharsMax: number;
	/** Its text. Bytes. */
	readonly memoryTextBytesMax: number;
	/** Entries of one space of memory; what is written at the same time may exceed it, up to twice as many. */
	readonly memoryEntriesMax: number;
	/** Names and texts of one space; what is written at the same time may exceed it, up to twice as much. Bytes. */
	readonly memoryBytesMax: number;
	/** Words of one search; those beyond are left out. */
	readonly memoryWordsMax: number;
	/** Files of one import, and of the folder that they are in. */
	readonly memoryFilesMax: number;
	/** Newest entries of a space that the tool `memory` lists; it says how many more there are. */
	readonly memoryListMax: number;
	/** Entries of a space that its search returns. */
	readonly memoryFoundMax: number;
	/** What it shows of each, around the first of the words. Characters. */
	readonly memoryFoundCharsMax: number;
	/** Of the query of a search: where in an entry the words are is looked for by these. Characters. */
	readonly memoryQueryCharsMax: number;
	/** Steps in the list of the tool `todo`. */
	readonly todosMax: number;
	/** Text of one step. Characters. */
	readonly todoCharsMax: number;
	/** The plan of `set_mode`. Characters. */
	readonly planCharsMax: number;
	/** What a judge says that is missing, in a loop with criteria. Characters. */
	readonly feedbackCharsMax: number;
	/** What `read_result` shows at a time, at most less than `resultTokensMax`. Tokens. */
	readonly resultPageTokensMax: number;
	/** How often in a row a run is looked at without anything that happens or is waited for; beyond it, it is left as it is. */
	readonly looksMax: number;
	/** How long the SQLite store tries while another process holds the database; its `busyTimeoutMs` sets it. Milliseconds. */
	readonly busyTimeoutMs: number;
	/** Events on one span of a trace; others are counted. */
	readonly spanEventsMax: number;
	/** A name or an id in a trace. Characters. */
	readonly spanNameCharsMax: number;
	/** One text in a trace, where what was said is recorded. Characters. */
	readonly spanTextCharsMax: number;
	/** Texts of one span. */
	readonly spanTextsMax: number;
	/** What waits to be made into spans; beyond it whoever emits makes them. */
	readonly traceQueueMax: number;
	/** How long it waits. Milliseconds. */
	readonly traceDelayMs: number;
	/** How long an exporter of traces may take to end, or to drop a run. Milliseconds. */
	readonly traceWaitMs: number;
	/** How long the local trace store keeps a trace, where it is not told otherwise. Days. */
	readonly traceDaysMax: number;
	/** Traces that it keeps, likewise. */
	readonly tracesMax: number;
	/** What they take, likewise. Bytes. */
	readonly traceBytesMax: number;
}

export const fixedLimits: FixedLimits = {
	cancelGraceMs: 2_000,
	closeGraceMs: 5_000,
	onCheckpointMs: 10_000,
	repairsMax: 1,
	guestLossesMax: 3,
	movedGuestsBytesMax: 256 * 1_048_576,
	errorCharsMax: 4_000,
	sendStepsMax: 1_000,
	personCharsMax: 200,
	askPeopleMax: 100,
	askRolesMax: 100,
	askExpiryMsMax: 100 * 366 * 86_400_000,
	policyBytesMax: 4 * 1_048_576,
	policyFilesMax: 1_000,
	policyCacheMax: 1_000,
	policyCacheKeyCharsMax: 8_192,
	policySettleMs: 200,
	policyShadowMax: 1_000,
	retryAfterMsMax: 24 * 3_600_000,
	backoffFirstMs: 500,
	backoffMaxMs: 10_000,
	policyChangesMax: 3,
	jsonDepthMax: 64,
	bodyCharsMax: 64 * 1_048_576,
	blobBytesMax: 64 * 1_048_576,
	writesMax: 10_000,
	queryLimitMax: 1_000,
	idCharsMax: 200,
	rehearsalCallsMax: 500,
	rehearsalCharsMax: 1_048_576,
	rehearsalsMax: 5,
	linkRowsMax: 200,
	linkRowCharsMax: 2_000,
	approversCharsMax: 4 * 1_048_576,
	grantExpiresInMs: 24 * 3_600_000,
	grantExpiresInMsMax: 90 * 24 * 3_600_000,
	grantUsesMax: 1_000_000,
	grantCharsMax: 16_384,
	standingGraceMs: 2 * 86_400_000,
	standingMax: 1_000,
	documentTriesMax: 20,
	webhookTimeoutMs: 15_000,
	webhookPendingMax: 1_000,
	webhookBatchMax: 50,
	webhookConcurrencyMax: 8,
	webhookRoundsMax: 100,
	webhookClaimMs: 15 * 60_000,
	webhookSlackMs: 3_600_000,
	webhookEveryMs: 30_000,
	webhookFailedMax: 100,
	budgetsMax: 100,
	budgetsCharsMax: 65_536,
	accountsEndedMax: 10_000,
	accountsSweepEvery: 64,
	memoryNameCharsMax: 120,
	memoryTextBytesMax: 16_384,
	memoryEntriesMax: 10_000,
	memoryBytesMax: 8 * 1_048_576,
	memoryWordsMax: 32,
	memoryFilesMax: 10_000,
	memoryListMax: 50,
	memoryFoundMax: 10,
	memoryFoundCharsMax: 500,
	memoryQueryCharsMax: 500,
	todosMax: 100,
	todoCharsMax: 500,
	planCharsMax: 20_000,
	feedbackCharsMax: 4_000,
	resultPageTokensMax: 2_000,
	looksMax: 1_000,
	busyTimeoutMs: 5_000,
	spanEventsMax: 128,
	spanNameCharsMax: 120,
	spanTextCharsMax: 4_096,
	spanTextsMax: 64,
	traceQueueMax: 20_000,
	traceDelayMs: 200,
	traceWaitMs: 10_000,
	traceDaysMax: 30,
	tracesMax: 10_000,
	traceBytesMax: 256 * 1_048_576,
};

/** What one program may use. All on by default; a program cannot catch them. */
export interface ProgramLimits {
	/** CPU time of the whole program. Milliseconds. */
	readonly cpuMs: number;
	/** Wall time of one slice, that is between two deliveries. Milliseconds. */
	readonly sliceMs: number;
	/** Guest memory. Bytes. */
	readonly memoryBytesMax: number;
	/** Tool calls of the program. */
	readonly callsMax: number;
	/** Tool calls that may be open at the same time. */
	readonly openCallsMax: number;
	/** Arguments of one call, and one result. Bytes. */
	readonly valueBytesMax: number;
	/** Console output kept. Bytes. */
	readonly consoleBytesMax: number;
	/** Source text. Bytes. */
	readonly sourceBytesMax: number;
	/** A stored snapshot. Bytes. */
	readonly snapshotBytesMax: number;
}

export const defaultProgramLimits: ProgramLimits = {
	cpuMs: 10_000,
	sliceMs: 5_000,
	memoryBytesMax: 64 * 1_048_576,
	callsMax: 500,
	openCallsMax: 256,
	valueBytesMax: 4_194_304,
	consoleBytesMax: 65_536,
	sourceBytesMax: 262_144,
	snapshotBytesMax: 16 * 1_048_576,
};

/** Bounds of file tools. Each set of them sets its own where it is made. */
export interface FileLimits {
	/** A file that is read or searched; one above is refused, or left out of the search. Bytes. */
	readonly readBytesMax: number;
	/** A file that is written. Bytes. */
	readonly writeBytesMax: number;
	/** Text of one read. Characters. */
	readonly readCharsMax: number;
	/** Lines of one read. */
	readonly readLinesMax: number;
	/** Names of one listing, and lines that one search finds. */
	readonly rowsMax: number;
	/** Entries of folders that one listing or search looks at, links and special files included. */
	readonly visitsMax: number;
	/** Read by one search: no further file is opened then. Bytes. */
	readonly searchBytesMax: number;
	/** Entries of a folder in which a further file is made. */
	readonly folderEntriesMax: number;
	/** A path. Characters. */
	readonly pathCharsMax: number;
	/** Folders above a file, below the root. */
	readonly depthMax: number;
}

export const defaultFileLimits: FileLimits = {
	readBytesMax: 8 * 1_048_576,
	writeBytesMax: 1_048_576,
	readCharsMax: 40_000,
	readLinesMax: 2_000,
	rowsMax: 200,
	visitsMax: 10_000,
	searchBytesMax: 128 * 1_048_576,
	folderEntriesMax: 10_000,
	pathCharsMax: 1_024,
	depthMax: 32,
};

/** Bounds of a shell tool. Each one sets its own where it is made. */
export interface ShellLimits {
	/** One command; then it is killed with all that it started. Milliseconds. */
	readonly commandTimeoutMs: number;
	/** Kept of each of its two outputs: the beginning. Bytes. */
	readonly outputBytesMax: number;
	/** Processes of the confined user at the same time, threads included. */
	readonly processesMax: number;
	/** Address space of one process. Bytes. */
	readonly memoryBytesMax: number;
	/** One file that it writes. Bytes. */
	readonly fileBytesMax: number;
	/** Files that one process has open. */
	readonly openFilesMax: number;
	/** Words of a command. */
	readonly wordsMax: number;
	/** All of them together. Characters. */
	readonly commandCharsMax: number;
	/** Files and folders below `cwd` that are looked through for stores before the first command; where there are more, none is run. */
	readonly entriesMax: number;
}

export const defaultShellLimits: ShellLimits = {
	commandTimeoutMs: 60_000,
	outputBytesMax: 32_768,
	processesMax: 64,
	memoryBytesMax: 4 * 1_073_741_824,
	fileBytesMax: 256 * 1_048_576,
	openFilesMax: 256,
	wordsMax: 100,
	commandCharsMax: 16_384,
	entriesMax: 200_000,
};

/** Bounds of `fetch_url`. Each one sets its own where it is made. */
export interface FetchLimits {
	/** One call, all redirects and the slowest body included. Milliseconds. */
	readonly fetchTimeoutMs: number;
	/** A body, as it comes and unpacked. Bytes. */
	readonly bodyBytesMax: number;
	/** Text that is returned. Characters. */
	readonly textCharsMax: number;
	/** Redirects of one call. */
	readonly redirectsMax: number;
	/** A URL. Characters. */
	readonly urlCharsMax: number;
	/** A body that is sent. Characters. */
	readonly sentCharsMax: number;
	/** Header lines of an answer. Bytes. */
	readonly headerBytesMax: number;
}

export const defaultFetchLimits: FetchLimits = {
	fetchTimeoutMs: 30_000,
	bodyBytesMax: 2 * 1_048_576,
	textCharsMax: 40_000,
	redirectsMax: 5,
	urlCharsMax: 2_048,
	sentCharsMax: 65_536,
	headerBytesMax: 16_384,
};

/** Bounds of skills. Each folder of them sets its own where it is read. */
export interface SkillLimits {
	/** Skills of one folder. */
	readonly skillsMax: number;
	/** What the instructions say of all of them. Tokens, at three bytes each. */
	readonly indexTokensMax: number;
	/** A `SKILL.md`, or another file of a skill. Bytes. */
	readonly skillBytesMax: number;
	/** Files and folders of one skill. */
	readonly skillFilesMax: number;
	/** Folders inside each other in one skill. */
	readonly skillDepthMax: number;
}

export const defaultSkillLimits: SkillLimits = {
	skillsMax: 100,
	indexTokensMax: 1_000,
	skillBytesMax: 131_072,
	skillFilesMax: 500,
	skillDepthMax: 4,
};
