/** SHA-256 of the files that this version runs. Written by scripts/build-microvm.mjs --record. */
export const binaryDigests: Readonly<Record<"guest.elf" | "microvmd", readonly string[]>> = {
	"guest.elf": ["5284139bef3839f5793c3d9dc3d30ec3172f5cd25a016da5b1fa13ab44b64990"],
	microvmd: ["f53b31fe0d85af7eb77f65f477958a20f2029e8b80b907e1d977db0328eccbcf"],
};
