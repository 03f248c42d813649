/** What the generated shop is made of. All of it is invented. */
export const firstNames = `
Ada Alma Anton Arne Astrid Bela Bruno Carla Cem Clara Dalia Dario Edda Elif
Emil Enno Esra Fenja Finn Frida Gero Greta Hanno Hedda Ida Ilja Ines Iris
Jana Jonas Juna Kaya Karl Lale Lars Lena Levi Lina Luca Maja Malik Marta
Mila Mira Nils Noa Nora Ole Oskar Paula Pelle Rana Rosa Ruben Selma Sinan
Tilda Toni Vera Yara`
	.trim()
	.split(/\s+/);

export const lastNames = `
Ahlers Bakker Becher Brandt Castell Demir Dreyer Ebeling Eriksen Falk Fechner Gerlach Grau Haller
Hansen Ibsen Jahnke Janssen Kaya Keller Koch Krüger Lange Lindqvist Lorenz Maas Mertens Moreau
Nielsen Novak Olsen Ortega Petersen Quast Rasmussen Reuter Rossi Sander Scholz Seidel Sommer Stahl
Tamm Thiele Uhl Vogt Wagner Weiss Winter Zander`
	.trim()
	.split(/\s+/);

export const cities = `
Aalen Bremen Celle Dessau Emden Fulda Gera Hamm Jena Kiel Lemgo Mölln Norden Peine
Rheine Soest Trier Ulm Wismar Zeven`
	.trim()
	.split(/\s+/);

export interface ProductKind {
	readonly name: string;
	readonly category: string;
	readonly cents: number;
}

/** Each comes in four colours. */
export const productKinds: readonly ProductKind[] = [
	{ name: "Enamel mug", category: "kitchen", cents: 990 },
	{ name: "Dinner plate", category: "kitchen", cents: 1_250 },
	{ name: "Soup bowl", category: "kitchen", cents: 1_090 },
	{ name: "Cast-iron pan", category: "kitchen", cents: 6_490 },
	{ name: "Tea kettle", category: "kitchen", cents: 4_490 },
	{ name: "Bread knife", category: "kitchen", cents: 2_790 },
	{ name: "Storm lantern", category: "light", cents: 3_990 },
	{ name: "Head torch", category: "light", cents: 2_490 },
	{ name: "Candle set", category: "light", cents: 1_490 },
	{ name: "Wool blanket", category: "home", cents: 5_900 },
	{ name: "Linen towel", category: "home", cents: 1_890 },
	{ name: "Storage basket", category: "home", cents: 2_290 },
	{ name: "Door mat", category: "home", cents: 2_650 },
	{ name: "Garden gloves", category: "garden", cents: 1_190 },
	{ name: "Watering can", category: "garden", cents: 3_290 },
	{ name: "Pruning shears", category: "garden", cents: 3_450 },
	{ name: "Seed box", category: "garden", cents: 890 },
	{ name: "Thermos flask", category: "outdoor", cents: 2_990 },
	{ name: "Picnic rug", category: "outdoor", cents: 4_290 },
	{ name: "Folding stool", category: "outdoor", cents: 3_790 },
];

export const colours: readonly { readonly name: string; readonly moreCents: number }[] = [
	{ name: "moss", moreCents: 0 },
	{ name: "slate", moreCents: 0 },
	{ name: "cream", moreCents: 100 },
	{ name: "rust", moreCents: 150 },
];
