/**
 * What every guest of this version is: SHA-256 over the engine's module, the prelude and the image that they boot to.
 * A worker that boots to anything else refuses to serve. After a change of the engine or the prelude the test of this
 * file prints the new value.
 */
export const guestDigest = "122eb1de42d32c2727fcbf49f791cfcce01cb0788d6f0639e33ed780efeaca46";
