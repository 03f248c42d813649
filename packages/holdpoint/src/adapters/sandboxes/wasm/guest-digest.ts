/**
 * What every guest of this version is: SHA-256 over the engine's module, the prelude and the image that they boot to.
 * A worker that boots to anything else refuses to serve. After a change of the engine or the prelude the test of this
 * file prints the new value.
 */
export const guestDigest = "8081cc7961ef89b4d0b4fda3ee190b044c0f5eedc24feff877d4ec8b0d88e4a5";
