/** SHA-256 of the files that this version runs. Written by scripts/build-microvm.mjs --record. */
export const binaryDigests: Readonly<Record<"guest.elf" | "microvmd", readonly string[]>> = {
	"guest.elf": ["5284139bef3839f5793c3d9dc3d30ec3172f5cd25a016da5b1fa13ab44b64990"],
	microvmd: ["97de33c3b78377a69df43d2204600c32cb9f7bf0d598ccec3c5aac2ec39851d8"],
};
