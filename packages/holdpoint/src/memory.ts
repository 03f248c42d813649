/** Memory of agents: `holdpoint/memory`. */
export type { MemoryFile } from "./memory/entry-file.ts";
export type { HarnessMemory, MemoryChange, MemoryOf } from "./run/memory-doors.ts";
export { type MemoryToolsOptions, memoryTools } from "./run/memory-tools.ts";
export type { MemoryAuthor, MemoryEntry } from "./spec/memory.ts";
