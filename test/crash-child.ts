/** One process that is killed: `node crash-child.ts <folder> <at> <before | after>`. */
import { join } from "node:path";
import { sqliteStore } from "holdpoint";
import { crashingStore } from "holdpoint/testing";
import { wasmSandbox } from "../packages/holdpoint/src/adapters/sandboxes/wasm/provider.ts";
import { World, work } from "./crash-scene.ts";

const [folder = "", at = "", when = ""] = process.argv.slice(2);
const crash = () => process.kill(process.pid, "SIGKILL");
const plan = { at: Number(at), when: when === "after" ? "after" : "before", crash } as const;
const store = crashingStore(sqliteStore(join(folder, "runs.db")), plan);
await work({ store, world: new World(folder), sandbox: wasmSandbox({ workersMax: 1 }) });
