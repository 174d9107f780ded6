// Unigram tokenisation as TensorFlow.js' Universal Sentence Encoder does it.

/** The parts of a Unigram model that {@link unigramLattice} needs. */
export interface UnigramConfig {
  readonly type: 'Unigram'
  readonly unk_id: number
  readonly vocab: readonly (readonly [piece: string, score: number])[]
  /** Entries at the start that no text becomes. Pipilo's own key: its files with it were made for this function. */
  readonly reserved: number
}

/** True if the model of a `tokenizer.json` was made for {@link unigramLattice}. */
export function isLattice(model: { readonly type?: string } | undefined): model is UnigramConfig {
  return model?.type === 'Unigram' && 'reserved' in model
}

/** True if no piece goes on behind a space, so that words are cut into pieces from left to right, whatever follows. */
export function keepsWords({ vocab }: UnigramConfig): boolean {
  return vocab.every(([piece]) => !piece.includes('▁', 1))
}

/** Pieces that begin in the same way. */
interface Branch {
  readonly next: Map<string, Branch>
  /** The piece that ends here, and its place in the vocabulary. */
  id?: number
  score: number
}

/**
 * Cuts a text into the pieces whose scores have the largest sum, exactly as TensorFlow.js' Universal Sentence Encoder does: of
 * equal sums the one whose last piece is shorter wins, a sum of 0 gives way to any other, and what begins no piece is unknown
 * at no cost.
 *
 * @example
 * ```ts
 * unigramLattice(model)('▁Hello')   // ['▁Hello']
 * ```
 *
 * @see https://github.com/tensorflow/tfjs-models/blob/master/universal-sentence-encoder/src/tokenizer/index.ts
 */
export function unigramLattice({ unk_id, vocab, reserved }: UnigramConfig): (text: string) => string[] {
  const root: Branch = { next: new Map(), score: 0 }
  for (const [id, [piece, score]] of vocab.entries()) {
    if (id < reserved) continue
    let branch = root
    for (const character of piece) {
      const known = branch.next.get(character) ?? { next: new Map(), score: 0 }
      branch.next.set(character, known)
      branch = known
    }
    branch.id = id
    branch.score = score
  }
  return (text) => {
    const characters = Array.from(text)
    const best = new Float64Array(characters.length + 1)
    const ids = new Int32Array(characters.length + 1).fill(unk_id)
    const lengths = new Int32Array(characters.length + 1).fill(1)
    const offer = (start: number, end: number, id: number, score: number) => {
      const sum = best[start]! + score
      if (best[end] !== 0 && sum < best[end]!) return
      best[end] = sum
      ids[end] = id
      lengths[end] = end - start
    }
    for (let start = 0; start < characters.length; start++) {
      let branch = root.next.get(characters[start]!)
      let found = false
      for (let end = start + 1; branch; end++) {
        if (branch.id !== undefined) {
          offer(start, end, branch.id, branch.score)
          found = true
        }
        branch = end < characters.length ? branch.next.get(characters[end]!) : undefined
      }
      if (!found) offer(start, start + 1, unk_id, 0)
    }
    const pieces: string[] = []
    for (let end = characters.length; end > 0; end -= lengths[end]!) pieces.push(vocab[ids[end]!]![0])
    return pieces.reverse()
  }
}
