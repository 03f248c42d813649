/** SHA-256 of the files that this version runs. Written by scripts/build-microvm.mjs --record. */
export const binaryDigests: Readonly<Record<"guest.elf" | "microvmd", readonly string[]>> = {
	"guest.elf": ["b36143e03d08e36a1a9a17ce3776003544ec79bbac068e658179bb777ef95082"],
	microvmd: ["7c2808c258d2940a3cb023bf33c05de53bdf951cee36c7979c837c10e3780f15"],
};
