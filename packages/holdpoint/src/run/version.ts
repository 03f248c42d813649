/** Of this library; held against package.json by a test. */
export const libraryVersion = "0.1.0";
