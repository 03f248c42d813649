import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { HoldpointError } from "../../spec/errors.ts";
import { tracesPath } from "../open-tracing.ts";
import { shopPath } from "./shop-config.ts";
import { makeShop } from "./shop-database.ts";

/** Makes the folder of a demo ready: a fresh shop, and a store without earlier runs unless they are kept. */
export function prepareFolder(
	folder: string,
	{ keepsRuns }: { readonly keepsRuns: boolean },
): { readonly store: string; readonly shop: string } {
	const store = join(folder, "holdpoint.db");
	const shop = shopPath(store);
	if (existsSync(store) && !existsSync(shop)) {
		throw new HoldpointError("config.invalid", `${folder} holds a store that no demo made`, {
			hint: "Name another folder with --folder.",
			details: { folder },
		});
	}
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	// Its own files and nothing else: a folder that was named may hold more.
	const files = keepsRuns ? [shop] : [shop, store, `${store}.keys`, tracesPath(store)];
	for (const file of files.flatMap((path) => [path, `${path}-wal`, `${path}-shm`])) rmSync(file, { force: true });
	makeShop(shop);
	return { store, shop };
}
