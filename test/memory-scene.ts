/** What is played when a process that keeps things in memory is killed: entries that are written, replaced and dropped. */
import { join } from "node:path";
import { createHarness, type Harness, harnessAgent, type Store, sqliteStore } from "holdpoint";
import { call, say, scriptedModel } from "holdpoint/testing";

export const session = "desk";

export const openStore = (folder: string): Store => sqliteStore(join(folder, "runs.db"));

export function memoryHarness(store: Store): { harness: Harness; work: () => Promise<unknown> } {
	const model = scriptedModel(
		[
			call("note", { name: "plan", text: "First the order" }),
			call("remember", { name: "tea", text: "Ann drinks green tea" }),
			call("note", { name: "plan", text: "Then the refund" }),
			call("note", { name: "gone", text: "For a moment" }),
			call("note", { name: "gone" }),
			say("done"),
		],
		{ countTokens: false },
	);
	const agent = harnessAgent({ name: "clerk", instructions: "Serve.", model, programs: false });
	const harness = createHarness({
		store,
		agents: [agent],
		keys: [{ id: "k1", secret: new Uint8Array(32).fill(7) }],
		sandbox: "off",
		policy: () => ({ verdict: "allow" }),
	});
	const work = async () => {
		const [latest] = await harness.runs({ session });
		return latest ? harness.resume(latest.run) : harness.session(session, agent).send("go", { principal: "ann" });
	};
	return { harness, work };
}
