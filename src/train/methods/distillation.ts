/** Distillation: a network learns the embeddings of a larger embedder. */

import { checkOptions, is, type OptionTable, PipiloError } from '../../base/index.ts'
import {
  type AnyInput,
  type ColumnName,
  type Embedder,
  embedder,
  type Input,
  type Recipe,
  recipeKey,
  resolveRecipe,
} from '../../embed/index.ts'
import type { Value } from '../../graph/index.ts'
import { linear } from '../../nn/index.ts'
import type { DerivedSource, Objective, Scope } from '../objective.ts'
import { checkChoice } from '../objectives/checks.ts'
import {
  type EmbeddingDistillationOptions,
  embeddingDistillation,
  type SimilarityDistillationOptions,
  similarityDistillation,
} from '../objectives/distillation.ts'

const distillationTypes: OptionTable<DistillationOptions> = {
  teacher: is.either(is.name, is.instance('an embedder', 'embed', 'recipe')),
  column: is.name,
  loss: is.oneOf(['embedding', 'similarity']),
  distanceMetric: is.oneOf(['mse', 'l2', 'cosine']),
  divergence: is.oneOf(['mse', 'kl']),
  similarity: is.any,
  temperature: is.numeric(0),
}

/** Options of {@link distillation}. */
export interface DistillationOptions extends EmbeddingDistillationOptions, SimilarityDistillationOptions {
  /** The embedder to learn from: its name, or an open one, with its prompt, tap and pooling. The caller's own is left open. */
  readonly teacher: string | Embedder
  /** Column of the data that both read: `image`, or one of texts. Default `image` for a teacher of pictures, else `text`. */
  readonly column?: ColumnName
  /**
   * `embedding`: the student's vectors are drawn to the teacher's (`distanceMetric`), behind a linear layer where their widths differ;
   * `similarity`: only the similarities between the rows of a batch are (`divergence`, `similarity`, `temperature`). Default `embedding`.
   */
  readonly loss?: 'embedding' | 'similarity'
}

/** Column of the teacher's vectors. */
const COLUMN = 'teacher_embedding'

/**
 * Draws a network's embeddings to those that a larger embedder makes of the same rows.
 *
 * @example
 * ```ts
 * const objective = await distillation({ teacher: 'all-MiniLM-L6-v2' })
 * await train({ network: await openedNetwork('./small-model'), objective, data: await readDataset('lines.csv') })
 * ```
 *
 * @remarks
 * The teacher embeds each row once, while the batch before is trained on, and its vectors are kept in a temporary file: 4 bytes a number, of which
 * memory holds a batch. It sees pictures as they are; augmentations are the student's alone. Vectors are compared as the teacher gives them, mostly of
 * length 1. The linear layer is thrown away afterwards: the encoder keeps its own width.
 *
 * From https://arxiv.org/abs/2004.09813 (embeddings) and https://arxiv.org/abs/1907.09682 (similarities).
 *
 * @throws `OPTION_INVALID` for a teacher that gives no single vector of a known width, or a column that it cannot read; what `embedder` throws
 */
export async function distillation(options: DistillationOptions): Promise<Objective> {
  checkOptions('distillation', options, distillationTypes)
  const { teacher, loss = 'embedding' } = options
  checkChoice('loss', loss, ['embedding', 'similarity'])
  const recipe = typeof teacher === 'string' ? await resolveRecipe(teacher) : teacher.recipe
  const column = options.column ?? (recipe.modality === 'text' ? 'text' : 'image')
  checkTeacher(recipe, column)
  const leastBatch = loss === 'embedding' ? 1 : options.divergence === 'kl' ? 3 : 2
  return {
    name: `distillation (${recipe.source.name}, ${loss})`,
    leastBatch,
    derived: {
      name: COLUMN,
      size: recipe.dimensions,
      key: `${column} ${recipeKey(recipe)}`,
      open: () => openTeacher(teacher, column),
    },
    build(scope) {
      const student = studentOf(scope, column)
      const target = scope.numbers(COLUMN, [recipe.dimensions])
      if (loss === 'similarity') return { loss: similarityDistillation(student, target, options) }
      const projected =
        student.shape.at(-1) === recipe.dimensions
          ? student
          : linear(scope.parameters, 'distillation_head', student, recipe.dimensions)
      return { loss: embeddingDistillation(projected, target, options) }
    },
  }
}

function studentOf(scope: Scope, column: ColumnName): Value {
  return scope.embed(column === 'image' ? { pixel_values: scope.pixels() } : scope.texts(column))
}

async function openTeacher(teacher: string | Embedder, column: ColumnName): Promise<DerivedSource> {
  const e = typeof teacher === 'string' ? ((await embedder(teacher)) as Embedder) : teacher
  return {
    async of(rows, nameOf) {
      const inputs = rows.map((row, place) => {
        const input = row[column]
        if (input !== undefined) return inputOf(e, column, input as Input)
        throw new PipiloError('INPUT_INVALID', `${nameOf(place)} has no ${column}.`, { input: nameOf(place) })
      })
      return (await e.embed(inputs)).vectors
    },
    async close() {
      if (typeof teacher === 'string') await e.dispose()
    },
  }
}

/** A model of two towers is told which of the two an input is. */
function inputOf({ modality }: Embedder, column: ColumnName, input: Input): AnyInput {
  if (modality !== 'text-image') return input
  return column === 'image' ? { image: input } : { text: String(input) }
}

/** @throws `OPTION_INVALID` for vectors that are no target, or a column of another modality */
function checkTeacher(recipe: Recipe, column: ColumnName): void {
  const { source, pool, dimensions, modality, text } = recipe
  const refused = (what: string, hint: string) =>
    new PipiloError('OPTION_INVALID', `${source.name} ${what}.`, { input: 'teacher', hint })
  if (pool === 'none' || text?.chunk?.pool === 'keep') {
    throw refused(
      'gives several vectors an input',
      'Open it with a pooling: embedder(name, { pool: "mean" }).',
    )
  }
  if (dimensions === 0) {
    throw refused(
      'does not say how long its vectors are',
      'Say it: embedder(name, { card: { dimensions } }).',
    )
  }
  const isPictures = column === 'image'
  if (modality === 'tensor') throw refused('takes tensors', 'Name a teacher of texts or pictures.')
  if (modality === 'text-image' || (modality === 'image') === isPictures) return
  throw refused(
    `takes ${modality === 'image' ? 'pictures' : 'texts'}, and the column is ${column}`,
    isPictures ? 'Name a column of texts: column: "text".' : 'Leave the column out: it is image.',
  )
}
