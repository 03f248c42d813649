import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { isHoldpointError } from "../../spec/errors.ts";
import { listProviders, type ModelFromNameOptions, modelFromName } from "./from-name.ts";

const key = "sk-test-0123456789";
const keys = { OPENAI_API_KEY: key, ANTHROPIC_API_KEY: key, OPENAI_COMPATIBLE_API_KEY: key };

async function errorOf(name: string, options: ModelFromNameOptions) {
	const error: unknown = await modelFromName(name, options).catch((caught: unknown) => caught);
	if (!isHoldpointError(error)) throw new Error("it was made");
	return { code: error.code, message: error.message, hint: error.hint, reason: error.details.reason };
}

/** Notes where a request went and with which headers, and answers 400. */
async function requestOf(name: string, path: string) {
	const seen = Promise.withResolvers<{ url: string | undefined; authorization: unknown; apiKey: unknown }>();
	const server = createServer((request, response) => {
		const { authorization, "x-api-key": apiKey } = request.headers;
		seen.resolve({ url: request.url, authorization, apiKey });
		request.resume();
		response.writeHead(400, { "content-type": "application/json" }).end("{}");
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	try {
		const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
		const model = await modelFromName(name, { baseUrl, env: keys });
		const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "hi" }] }];
		await Promise.allSettled([model.doGenerate({ prompt })]);
		return { model, ...(await seen.promise) };
	} finally {
		server.closeAllConnections();
		server.close();
	}
}

describe("a model by its name", () => {
	test.each([
		["openai/gpt-5", "/v1", { url: "/v1/responses", authorization: `Bearer ${key}` }],
		["anthropic/claude-x", "/v1", { url: "/v1/messages", apiKey: key }],
		["openai-compatible/org/llama", "/v1", { url: "/v1/chat/completions", authorization: `Bearer ${key}` }],
		["local/qwen", "/api/", { url: "/api/chat/completions" }],
	])("%s asks the right door of its provider", async (name, path, seen) => {
		const { model, ...request } = await requestOf(name, path);
		expect(request).toMatchObject(seen);
		expect(model).toMatchObject({ modelId: name.slice(name.indexOf("/") + 1), specificationVersion: "v4" });
	});

	test("takes the address from the environment, and needs no key for a server of one's own", async () => {
		const env = { OPENAI_COMPATIBLE_BASE_URL: "http://127.0.0.1:9/v1" };
		expect(await modelFromName("local/qwen", { env })).toMatchObject({ modelId: "qwen" });
	});

	test.each(["gpt-5", "", "/", "openai/", "openai/ ", "google/gemini", "OPENAI/gpt-5", "__proto__/x"])(
		"is not %j",
		async (name) => {
			const error = await errorOf(name, { env: keys });
			expect(error).toMatchObject({ code: "model.unknown", reason: "name" });
			expect(error.hint).toContain("openai, anthropic, openai-compatible, local");
		},
	);

	test.each([
		["openai/gpt-5", "OPENAI_API_KEY"],
		["anthropic/claude-x", "ANTHROPIC_API_KEY"],
	])("%s without a key names the variable", async (name, variable) => {
		for (const env of [{}, { [variable]: " " }]) {
			expect(await errorOf(name, { env })).toEqual({
				code: "model.unknown",
				message: `The model "${name}" needs a key, and ${variable} is not set.`,
				hint: `Set the environment variable ${variable}.`,
				reason: "key",
			});
		}
	});

	test("without an address, or with one that is none, says so and repeats no password", async () => {
		expect(await errorOf("local/qwen", { env: {} })).toMatchObject({ reason: "base_url" });
		for (const baseUrl of ["127.0.0.1:8080", "file:///etc/passwd", "not a url", "http://user:hunter2@host/v1"]) {
			const error = await errorOf("local/qwen", { env: {}, baseUrl });
			expect(error).toMatchObject({ code: "model.unknown", reason: "base_url" });
			expect(JSON.stringify(error)).not.toContain("hunter2");
		}
	});

	test.each(listProviders().map((provider) => [provider.name, provider]))(
		"of a package that is missing tells the command: %s",
		async (name, provider) => {
			const missing = Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
			const asked: string[] = [];
			const load = (packageName: string) => {
				asked.push(packageName);
				return Promise.reject(missing);
			};
			expect(await errorOf(`${name}/x`, { env: keys, baseUrl: "http://127.0.0.1:9", load })).toEqual({
				code: "model.unknown",
				message: `The package ${provider.package} is not installed.`,
				hint: `Run \`npm i ${provider.package}\`.`,
				reason: "package",
			});
			expect(asked).toEqual([provider.package]);
		},
	);

	test("of a package that breaks, or is too old, is no crash", async () => {
		const broken = () => Promise.reject(new SyntaxError("Unexpected token"));
		expect(await errorOf("openai/x", { env: keys, load: broken })).toMatchObject({
			message: "The package @ai-sdk/openai cannot be loaded.",
			reason: "package",
		});
		const old = () => Promise.resolve({});
		expect(await errorOf("openai/x", { env: keys, load: old })).toMatchObject({
			code: "model.unknown",
			reason: "package",
		});
	});
});

test("the list of providers says what each needs", () => {
	expect(
		listProviders().map(({ name, aliases, keyVariable, keyRequired, baseUrlRequired }) => [
			name,
			aliases,
			keyVariable,
			keyRequired,
			baseUrlRequired,
		]),
	).toEqual([
		["openai", [], "OPENAI_API_KEY", true, false],
		["anthropic", [], "ANTHROPIC_API_KEY", true, false],
		["openai-compatible", ["local"], "OPENAI_COMPATIBLE_API_KEY", false, true],
	]);
	expect(JSON.parse(JSON.stringify(listProviders()))).toEqual(listProviders());
});
