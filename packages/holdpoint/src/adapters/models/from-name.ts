import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { HoldpointError } from "../../spec/errors.ts";
import type { LanguageModel } from "../../spec/model.ts";

/** A provider that can be named. Its package is the user's own to install. */
export interface ProviderInfo {
	readonly name: string;
	readonly aliases: readonly string[];
	readonly package: string;
	/** The command that installs the package. */
	readonly install: string;
	/** Environment variable of the key. */
	readonly keyVariable: string;
	readonly keyRequired: boolean;
	/** Environment variable of the address. */
	readonly baseUrlVariable: string;
	readonly baseUrlRequired: boolean;
}

export interface ModelFromNameOptions {
	/** Where the provider's API is. Goes before the environment variable. */
	readonly baseUrl?: string | undefined;
	readonly env: { readonly [name: string]: string | undefined };
	/** How a package is loaded. Default: as installed beside Holdpoint, else in the working directory. */
	readonly load?: (packageName: string) => Promise<unknown>;
}

interface Settings {
	readonly apiKey: string | undefined;
	readonly baseUrl: string | undefined;
}

interface Provider extends ProviderInfo {
	make(module: Record<string, unknown>, model: string, settings: Settings): unknown;
}

type Factory = (settings: Record<string, unknown>) => (model: string) => unknown;

const providers: readonly Provider[] = [
	{
		...info("openai", "OPENAI"),
		make: ({ createOpenAI }, model, settings) => (createOpenAI as Factory)(hosted(settings))(model),
	},
	{
		...info("anthropic", "ANTHROPIC"),
		make: ({ createAnthropic }, model, settings) => (createAnthropic as Factory)(hosted(settings))(model),
	},
	{
		...info("openai-compatible", "OPENAI_COMPATIBLE"),
		aliases: ["local"],
		keyRequired: false,
		baseUrlRequired: true,
		make: ({ createOpenAICompatible }, model, { apiKey, baseUrl }) => {
			const name = { name: "openai-compatible", baseURL: baseUrl, includeUsage: true };
			return (createOpenAICompatible as Factory)(apiKey === undefined ? name : { ...name, apiKey })(model);
		},
	},
];

/** The providers that `modelFromName` knows. */
export function listProviders(): readonly ProviderInfo[] {
	return providers.map(({ make: _make, ...about }) => about);
}

/**
 * The model that `provider/name` means, made by the user's installed provider package.
 *
 * Errors: `model.unknown` where the name, the package, the key or the address is missing; the hint says what to do.
 */
export async function modelFromName(name: string, options: ModelFromNameOptions): Promise<LanguageModel> {
	const [provider, model] = split(name);
	const settings = settingsOf(provider, name, options);
	const module = await loadPackage(provider, options.load ?? loadInstalled);
	try {
		return provider.make(module as Record<string, unknown>, model, settings) as LanguageModel;
	} catch (cause) {
		const message = `The installed ${provider.package} cannot make the model "${name}".`;
		throw unknown(message, `Run \`${provider.install}@latest\`; see \`cause\`.`, { reason: "package", cause });
	}
}

function info(name: string, variable: string): ProviderInfo {
	const packageName = `@ai-sdk/${name}`;
	return {
		name,
		aliases: [],
		package: packageName,
		install: `npm i ${packageName}`,
		keyVariable: `${variable}_API_KEY`,
		keyRequired: true,
		baseUrlVariable: `${variable}_BASE_URL`,
		baseUrlRequired: false,
	};
}

function hosted({ apiKey, baseUrl }: Settings): Record<string, unknown> {
	return baseUrl === undefined ? { apiKey } : { apiKey, baseURL: baseUrl };
}

function split(name: string): [Provider, string] {
	const [, prefix = "", model = ""] = /^([^/]*)\/(.*)$/s.exec(name) ?? [];
	const provider = providers.find((one) => one.name === prefix || one.aliases.includes(prefix));
	const known = providers.flatMap((one) => [one.name, ...one.aliases]).join(", ");
	if (provider !== undefined && model.trim() !== "") return [provider, model];
	const shown = JSON.stringify(name.slice(0, 100));
	const why = provider === undefined ? "names no known provider" : "names no model";
	throw unknown(`The model ${shown} ${why}.`, `Write \`provider/name\` with one of: ${known}.`, { reason: "name" });
}

function settingsOf(provider: Provider, name: string, { env, baseUrl: given }: ModelFromNameOptions): Settings {
	const apiKey = env[provider.keyVariable]?.trim() || undefined;
	if (apiKey === undefined && provider.keyRequired) {
		const message = `The model "${name}" needs a key, and ${provider.keyVariable} is not set.`;
		throw unknown(message, `Set the environment variable ${provider.keyVariable}.`, { reason: "key" });
	}
	const baseUrl = (given ?? env[provider.baseUrlVariable])?.trim() || undefined;
	if (baseUrl === undefined && provider.baseUrlRequired) {
		const hint = `Give its base URL, such as http://127.0.0.1:8080/v1, or set ${provider.baseUrlVariable}.`;
		throw unknown(`The model "${name}" needs to know where its server is.`, hint, { reason: "base_url" });
	}
	if (baseUrl !== undefined) checkUrl(baseUrl, name);
	return { apiKey, baseUrl };
}

/** The address itself stays out of the message: it may hold a password. */
function checkUrl(baseUrl: string, name: string): void {
	const hint = "Write it like http://127.0.0.1:8080/v1, with the key in its environment variable.";
	const url = URL.parse(baseUrl);
	if (url === null || !/^https?:$/.test(url.protocol)) {
		throw unknown(`The base URL of the model "${name}" is no http or https URL.`, hint, { reason: "base_url" });
	}
	if (url.username !== "" || url.password !== "") {
		throw unknown(`The base URL of the model "${name}" holds a user or a password.`, hint, { reason: "base_url" });
	}
}

async function loadPackage(provider: Provider, load: (packageName: string) => Promise<unknown>): Promise<unknown> {
	try {
		return await load(provider.package);
	} catch (cause) {
		const isMissing = String((cause as { code?: unknown }).code).endsWith("NOT_FOUND");
		const what = isMissing ? "is not installed" : "cannot be loaded";
		throw unknown(`The package ${provider.package} ${what}.`, `Run \`${provider.install}\`.`, {
			reason: "package",
			cause,
		});
	}
}

/** With a strict package manager, or when Holdpoint is installed globally, the package lies in the user's project. */
async function loadInstalled(packageName: string): Promise<unknown> {
	try {
		return await import(packageName);
	} catch (error) {
		const inProject = createRequire(join(process.cwd(), "holdpoint.js"));
		let path: string;
		try {
			path = inProject.resolve(packageName);
		} catch {
			throw error;
		}
		return await import(pathToFileURL(path).href);
	}
}

interface Why {
	readonly reason: "name" | "package" | "key" | "base_url";
	readonly cause?: unknown;
}

function unknown(message: string, hint: string, { reason, cause }: Why): HoldpointError {
	return new HoldpointError("model.unknown", message, { hint, cause, details: { reason } });
}
