/**
 * What every guest of this version is: SHA-256 over the engine's module, the prelude and the image that they boot to.
 * A worker that boots to anything else refuses to serve. After a change of the engine or the prelude the test of this
 * file prints the new value.
 */
export const guestDigest = "3d57c4ac024436c77b7e274555bfdf9d0f65765c6d0d5afadb0b0b6399c1b583";
