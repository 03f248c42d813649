/** SHA-256 of the files that this version runs. Written by scripts/build-microvm.mjs --record. */
export const binaryDigests: Readonly<Record<"guest.elf" | "microvmd", readonly string[]>> = {
	"guest.elf": ["5284139bef3839f5793c3d9dc3d30ec3172f5cd25a016da5b1fa13ab44b64990"],
	microvmd: ["8cac5653a1fb4b42b785bbcd1a9552e40ba1d082198db28fb86eec092f729828"],
};
