/** Set-up of each test file in the pass whose programs run in micro-VMs: without one to be had, every test is skipped. */
import { beforeEach } from "vitest";
import { whyNoMicrovm } from "../packages/holdpoint/src/adapters/sandboxes/microvm/machines-for-tests.ts";

const why = await whyNoMicrovm();
if (why !== undefined) {
	console.log(`skipped: ${why}`);
	// What a file does before its tests still has a sandbox to do it in.
	process.env["HOLDPOINT_SANDBOX"] = "wasm";
	beforeEach(({ skip }) => skip(why));
}
