/**
 * `holdpoint/verify`: what a stranger needs to verify an audit log, and nothing else. It imports nothing of the harness.
 */
export type { Leaf, LeafFacts } from "./export-lines.ts";
export type { AuditReport, Finding, FindingKind } from "./findings.ts";
export { type Checkpoint, keyProblem, parseCheckpoint } from "./note.ts";
export type { ByteSource } from "./read-lines.ts";
export { type VerifyOptions, verifyExport } from "./verify-export.ts";
export { type AuditProof, verifyProof } from "./verify-proof.ts";
