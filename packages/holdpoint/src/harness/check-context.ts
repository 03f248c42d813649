import { type OptionShape, shapes } from "../kit/option-problem.ts";
import { checkOptions } from "../run/define-agent.ts";
import type { ContextOptions } from "../spec/context.ts";
import { HoldpointError } from "../spec/errors.ts";
import { defaultHarnessAgentLimits } from "../spec/limits.ts";

const defaults: ContextOptions = {
	windowTokens: undefined,
	answerTokens: undefined,
	compactAt: defaultHarnessAgentLimits.compactAt,
	resultTokensMax: defaultHarnessAgentLimits.resultTokensMax,
	isSummarised: true,
	providers: [],
};

const contextOptions: { readonly [Name in keyof ContextOptions]: OptionShape } = {
	windowTokens: shapes.any,
	answerTokens: shapes.any,
	compactAt: shapes.any,
	resultTokensMax: shapes.any,
	isSummarised: shapes.flag,
	providers: [areObjects, "a list of `{ name, tokensMax, provide }`"],
};

const windowMin = 1_000;
const resultMin = 50;

/** Errors: `agent.invalid`. */
export function checkContext(agent: string, given: Partial<ContextOptions>): ContextOptions {
	checkOptions(given, contextOptions, `agent ${agent} sets, in its context,`);
	const options = { ...defaults, ...given };
	const { windowTokens, answerTokens, compactAt, resultTokensMax, providers } = options;
	check(
		agent,
		isCount(windowTokens ?? windowMin, windowMin),
		`windowTokens must be a whole number from ${windowMin} on`,
	);
	const answersMax = windowTokens ?? Number.MAX_SAFE_INTEGER;
	const leavesRoom = isCount(answerTokens ?? 0, 0) && (answerTokens ?? 0) < answersMax;
	check(agent, leavesRoom, "answerTokens must be a whole number below windowTokens");
	check(agent, compactAt > 0 && compactAt <= 1, "compactAt must be a share above 0, at most 1");
	check(agent, isCount(resultTokensMax, resultMin), `resultTokensMax must be a whole number from ${resultMin} on`);
	const names = new Set<string>();
	for (const { name, tokensMax, provide } of providers) {
		const isRight =
			/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(name) && isCount(tokensMax, 1) && typeof provide === "function";
		check(agent, isRight && !names.has(name), "each provider must have a name of its own, tokensMax, and provide");
		names.add(name);
	}
	return options;
}

function areObjects(value: unknown): boolean {
	return Array.isArray(value) && value.every((one) => typeof one === "object" && one !== null);
}

function isCount(value: unknown, min: number): boolean {
	return Number.isSafeInteger(value) && (value as number) >= min;
}

function check(agent: string, condition: boolean, problem: string): void {
	if (!condition)
		throw new HoldpointError("agent.invalid", `agent ${agent} sets a context that cannot be kept: ${problem}`);
}
