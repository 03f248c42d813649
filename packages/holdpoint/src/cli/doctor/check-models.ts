import { listProviders } from "../../adapters/models/from-name.ts";
import type { Finding } from "./finding.ts";

/** Which providers could be used by name. The names of variables, never what is in them. */
export function checkModels(env: { readonly [name: string]: string | undefined }): Finding {
	const providers = listProviders().map(({ name, keyVariable, keyRequired }) => ({
		name,
		keyVariable,
		keyRequired,
		hasKey: Boolean(env[keyVariable]?.trim()),
	}));
	const ready = providers.filter(({ hasKey }) => hasKey);
	const facts = { providers };
	if (ready.length > 0) {
		return {
			name: "models",
			state: "ok",
			says: ready.map(({ name, keyVariable }) => `${name} (${keyVariable})`).join(", "),
			facts,
		};
	}
	const variables = providers.filter(({ keyRequired }) => keyRequired).map(({ keyVariable }) => keyVariable);
	return {
		name: "models",
		state: "note",
		says: "no provider has a key",
		mend: `Set ${variables.join(" or ")}, or use --model local/<name> --base-url <url>.`,
		facts,
	};
}
