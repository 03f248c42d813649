import { limitProblem } from "../../../kit/limit-problem.ts";
import { reasonOf } from "../../../kit/reason-of.ts";
import { HoldpointError } from "../../../spec/errors.ts";
import type { JsonSchema } from "../../../spec/json.ts";
import { defaultFetchLimits, type FetchLimits } from "../../../spec/limits.ts";
import type { Tool } from "../../../spec/tool.ts";
import { defineTool } from "../../../tools/define-tool.ts";
import { jsonSchema } from "../../../tools/json-schema.ts";
import { domainRule, domainText } from "./checked-url.ts";
import { internet, type Network } from "./exchange.ts";
import { type FetchArguments, type FetchedPage, type Fetching, fetchPage } from "./fetch-page.ts";

export type { FetchLimits } from "../../../spec/limits.ts";

export interface FetchUrlOptions {
	/** Shape: `example.com`, `*.example.com` (all below it, and not itself), `example.com:8443`. */
	readonly domains: readonly string[];
	/** Default: GET alone. With any besides GET and HEAD the tool is a `write`. */
	readonly methods?: readonly FetchMethod[];
	/** Whether http:// will do as well. */
	readonly canUseHttp?: boolean;
	/** Default: `fetch_url`. */
	readonly name?: string;
	readonly limits?: Partial<FetchLimits>;
}

export type FetchMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * A tool that fetches from the domains that are named, never from an address that is not public, also after redirects. Its
 * results are untrusted, and whoever runs a site reads what is asked of it.
 * Errors: `tool.invalid`.
 */
export function fetchUrl(options: FetchUrlOptions): Tool {
	return fetchUrlOver(internet, options);
}

const known: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** The same over another network: for tests. */
export function fetchUrlOver(network: Network, options: FetchUrlOptions): Tool {
	const { methods = ["GET"], canUseHttp: http = false, name = "fetch_url" } = options;
	const problem = limitProblem(options.limits ?? {}, defaultFetchLimits);
	if (problem) throw invalid(`limits sets ${problem}`);
	if (options.domains.length === 0) throw invalid("it names no domain");
	const wrong = methods.find((method) => !known.has(method));
	if (wrong !== undefined || methods.length === 0) throw invalid(`its methods are some of ${[...known].join(", ")}`);
	const limits = { ...defaultFetchLimits, ...options.limits };
	const domains = options.domains.map(ruleOf);
	const fetching: Fetching = { network, limits, methods, rules: { domains, http, urlCharsMax: limits.urlCharsMax } };
	const sends = methods.some((method) => method !== "GET" && method !== "HEAD");
	return defineTool({
		name,
		description: `Fetches text from ${domains.map(domainText).join(", ")}. ${http ? "" : "https only. "}HTML comes as plain text.`,
		effect: sends ? "write" : "read",
		labels: { integrity: "untrusted", readers: ["everyone"], audience: ["everyone"] },
		// Its own time is over first, so that it can say how far it came.
		timeoutMs: limits.fetchTimeoutMs + 1_000,
		input: jsonSchema<FetchArguments>(inputSchema(methods, sends)),
		output: jsonSchema<FetchedPage>(outputSchema),
		execute: (args, { signal }) => fetchPage(fetching, args, signal),
	});
}

const outputSchema: JsonSchema = {
	type: "object",
	properties: {
		url: { type: "string" },
		status: { type: "integer" },
		contentType: { type: "string" },
		text: { type: "string" },
		truncated: { type: "boolean" },
		location: { type: "string" },
		problem: { type: "string" },
	},
	required: ["url", "status", "contentType", "text"],
	additionalProperties: false,
};

function inputSchema(methods: readonly string[], sends: boolean): JsonSchema {
	const isGetAlone = methods.length === 1 && methods[0] === "GET";
	return {
		type: "object",
		properties: {
			url: { type: "string" },
			...(isGetAlone ? {} : { method: { enum: [...methods] } }),
			...(sends
				? { body: { type: "string" }, bodyType: { type: "string", description: "default application/json" } }
				: {}),
		},
		required: methods.includes("GET") ? ["url"] : ["url", "method"],
		additionalProperties: false,
	};
}

function ruleOf(domain: string): ReturnType<typeof domainRule> {
	try {
		return domainRule(domain);
	} catch (error) {
		throw invalid(reasonOf(error));
	}
}

function invalid(why: string): HoldpointError {
	return new HoldpointError("tool.invalid", `fetchUrl: ${why}`, {
		hint: 'Its shape: fetchUrl({ domains: ["example.com", "*.example.org"], methods?: ["GET"] }).',
	});
}
