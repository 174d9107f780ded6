/** Masked language modelling: a text model predicts the words that are hidden from it (https://arxiv.org/abs/1810.04805). */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import { op } from '../../graph/index.ts'
import { maskedLanguageHead } from '../../nn/index.ts'
import { refuse } from '../augmentations/checks.ts'
import type { MaskedTextsOptions, Objective } from '../objective.ts'
import { crossEntropy } from '../objectives/crossEntropy.ts'

const maskedLanguageModelTypes: OptionTable<MaskedLanguageModelOptions> = {
  column: is.name,
  ratio: is.numeric(0, 1),
  masked: is.numeric(0, 1),
  random: is.numeric(0, 1),
}

/** Options of {@link maskedLanguageModel}. */
export interface MaskedLanguageModelOptions extends MaskedTextsOptions {
  /** Column of the texts. Default `text`. */
  readonly column?: string
}

/**
 * Cross-entropy of the words that are hidden: 15 % of them, of which 80 % become `[MASK]`, 10 % a random word, and 10 % stay.
 *
 * @example
 * ```ts
 * const network = await openedNetwork('all-MiniLM-L6-v2')
 * await train({ network, objective: maskedLanguageModel(), data: await readDataset('lines.csv'), out: './runs/adapted' })
 * ```
 *
 * @remarks
 * For further training on texts of a field, before pairs of them are trained on. The head is that of transformers' `BertForMaskedLM`, tied to the
 * table of words; it begins untrained and is thrown away afterwards: out comes the encoder. Each step hides other words, by the run's seed; of a batch
 * in which chance hides none, the first word is hidden. Models with a `[MASK]` or `<mask>` that are built here (BERT and its relatives) can be trained so.
 *
 * @throws `MODEL_INVALID` for a network without such a token, `OPTION_INVALID`
 */
export function maskedLanguageModel(given: MaskedLanguageModelOptions = {}): Objective {
  checkOptions('maskedLanguageModel', given, maskedLanguageModelTypes)
  const { column = 'text', ...options } = given
  if (options.ratio === 0) refuse('ratio', 0, 'above 0, for something to be hidden')
  return {
    name: 'masked language model',
    build(scope) {
      const { inputs, positions, labels } = scope.maskedTexts(column, options)
      const tokens = scope.tokens(inputs) // [batch, sequence, width]
      const table = scope.wordTable()
      const rows = op.reshape(tokens, [-1, Number(table.shape[1])])
      // Of the words that were not hidden no logits are made: they are as many as the vocabulary's.
      const hidden = op.gather(rows, positions)
      return { loss: crossEntropy(maskedLanguageHead(scope.parameters, hidden, table), labels) }
    },
  }
}
