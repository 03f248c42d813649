import type { Invocation } from "../command.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { inlineText } from "../render/safe-text.ts";

/** What can be asked about a policy; each is imported when it is asked. */
const asks: Readonly<Record<string, () => Promise<(invocation: Invocation) => Promise<number>>>> = {
	check: async () => (await import("../policy/check-policy.ts")).checkPolicy,
	test: async () => (await import("../policy/test-policy.ts")).testPolicy,
	explain: async () => (await import("../policy/explain-policy.ts")).explainPolicy,
};

/** Looks at the policy of the config. Nothing runs, and no model is asked. */
export async function policy(invocation: Invocation): Promise<number> {
	const [what = ""] = invocation.positionals;
	const load = Object.hasOwn(asks, what) ? asks[what] : undefined;
	if (load) return (await load())(invocation);
	const shown = JSON.stringify(inlineText(what, 60));
	throw usageInvalid(`policy does not know ${shown}`, "It is `policy check`, `policy test` or `policy explain`.");
}
