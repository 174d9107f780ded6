// Keys of a saved graph's metadata.

/** The card, as JSON. */
export const cardKey = 'pipilo.card'

/** The text of `tokenizer.json`. */
export const tokenizerKey = 'pipilo.tokenizer'
