/**
 * What every guest of this version is: SHA-256 over the engine's module, the prelude and the image that they boot to.
 * A worker that boots to anything else refuses to serve. After a change of the engine or the prelude the test of this
 * file prints the new value.
 */
export const guestDigest = "48651faa0337032c03fe239008d7d8fa11c0f93d046a1e741cffe7f1c4be258c";
