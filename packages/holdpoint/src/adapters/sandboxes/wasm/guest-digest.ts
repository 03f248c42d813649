/**
 * What every guest of this version is: SHA-256 over the engine's module, the prelude and the image that they boot to.
 * A worker that boots to anything else refuses to serve. After a change of the engine or the prelude the test of this
 * file prints the new value.
 */
export const guestDigest = "10e33a374bba51c6342b2b6e2d54922707e6e924954f2c1431b1bb942fb2ff7a";
