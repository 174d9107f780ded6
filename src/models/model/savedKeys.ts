// Names in a saved graph: keys of its metadata, and the output of an embedding.

/** The card, as JSON. */
export const cardKey = 'pipilo.card'

/** The text of `tokenizer.json`. */
export const tokenizerKey = 'pipilo.tokenizer'

/** Output of an embedding's graph. */
export const embeddingOutput = 'embedding'
