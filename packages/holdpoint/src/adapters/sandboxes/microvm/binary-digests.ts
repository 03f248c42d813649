/** SHA-256 of the files that this version runs. Written by scripts/build-microvm.mjs --record. */
export const binaryDigests: Readonly<Record<"guest.elf" | "microvmd", readonly string[]>> = {
	"guest.elf": ["5284139bef3839f5793c3d9dc3d30ec3172f5cd25a016da5b1fa13ab44b64990"],
	microvmd: ["fade35c3c15f637d0ac1b4a2f6bbf0d1d8818183ec0eeb36ed145a87f7c985b5"],
};
