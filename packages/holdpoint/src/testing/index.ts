export { type BypassCase, type BypassOptions, bypassSuite, type MakeHarness } from "./bypass-suite.ts";
export { type CrashingStore, type CrashPlan, crashingStore } from "./crashing-store.ts";
export { type FakeClock, type FakeClockOptions, fakeClock } from "./fake-clock.ts";
export { promptProblems } from "./prompt-order.ts";
export { type MakeSandbox, type SandboxCase, sandboxContract, sandboxContractExcept } from "./sandbox-contract.ts";
export { type ScriptedModelOptions, scriptedModel } from "./scripted-model.ts";
export { type StoreCase, type StoreFixture, storeContract } from "./store-contract.ts";
export {
	breaking,
	call,
	calls,
	failing,
	json,
	program,
	type Story,
	type StoryAsk,
	type StoryStep,
	say,
} from "./story.ts";
