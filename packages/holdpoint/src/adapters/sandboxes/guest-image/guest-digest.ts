/**
 * What every guest of this version is: SHA-256 over the engine's module, the prelude and the image that they boot to.
 * A worker that boots to anything else refuses to serve. After a change of the engine or the prelude the test of this
 * file prints the new value.
 */
export const guestDigest = "d997eb6caee38cb8520de60dd054236224bc6fe53e61da688df81bcb0531bc66";
