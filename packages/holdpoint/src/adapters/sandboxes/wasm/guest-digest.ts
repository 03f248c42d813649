/**
 * What every guest of this version is: SHA-256 over the engine's module, the prelude and the image that they boot to.
 * A worker that boots to anything else refuses to serve. After a change of the engine or the prelude the test of this
 * file prints the new value.
 */
export const guestDigest = "1fb746b1f18eb029232ca93c8c534182c9801eea116e997873b6d0c15e3b928f";
