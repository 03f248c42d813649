export { bypassDoors } from "./bypass-doors.ts";
export type { AtGate, BypassDoor, BypassScene, MakeHarness } from "./bypass-scene.ts";
export { type BypassCase, type BypassOptions, bypassSuite } from "./bypass-suite.ts";
export { type CrashingStore, type CrashPlan, crashingStore } from "./crashing-store.ts";
export { type FakeClock, type FakeClockOptions, fakeClock } from "./fake-clock.ts";
export { type ObedientModelOptions, obedience, obedientModel } from "./obedient-model.ts";
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
export { type TraceRecorder, traceRecorder } from "./trace-recorder.ts";
