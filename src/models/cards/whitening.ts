// Whitenings of pictures' embeddings, fitted once and kept with the cards.
import type { Whitening } from './types.ts'

const known: Readonly<Record<string, () => Promise<Whitening>>> = {
  'mobilenet-v2-whitened': async () => (await import('./mobilenetV2Whitening.ts')).whitening,
}

/** The whitening of a card, loaded when it is asked for. */
export async function whiteningOf(cardName: string | undefined): Promise<Whitening | undefined> {
  return cardName === undefined ? undefined : known[cardName]?.()
}
