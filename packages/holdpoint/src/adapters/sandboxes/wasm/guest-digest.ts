/**
 * What every guest of this version is: SHA-256 over the engine's module, the prelude and the image that they boot to.
 * A worker that boots to anything else refuses to serve. After a change of the engine or the prelude the test of this
 * file prints the new value.
 */
export const guestDigest = "a05146ba0a38b3ac1fbad3b3d6876fcc52c4735386b26955a6c946dce025de56";
