/** Options, events and results of training. */
import type { Dataset } from '../embed/index.ts'
import type { AverageOptions, Optimizer, Schedule, WeightGroup } from '../grad/index.ts'
import type { Device } from '../runtime/index.ts'
import type { Tensor } from '../tensor/index.ts'
import type { AugmentationSpec } from './augmentations/index.ts'
import type { Network, Objective } from './objective.ts'

/** Options of `train`. */
export interface TrainOptions {
  readonly network: Network
  readonly objective: Objective
  readonly data: Dataset
  /** Data that is not trained on, or the share of `data` that is kept for that. Default: none. */
  readonly validation?: Dataset | number
  /**
   * Rows of a batch, at most those of the data. Default 64, or all rows where there are fewer. Objectives that tell classes apart take as many
   * rows of each class, so the rest is left out: 9 of 10 where there are three classes.
   */
  readonly batch?: number
  /** Default 10. */
  readonly epochs?: number
  /** Default: AdamW with PyTorch's settings. */
  readonly optimizer?: Optimizer
  /** How the learning rate goes, or that by the number of changes of the weights in the run. Default: constant. */
  readonly schedule?: Schedule | ((steps: number) => Schedule)
  /** Largest norm of all gradients together. Default: not limited. */
  readonly clip?: number
  /** Settings of the optimiser for weights by the pattern of their names. */
  readonly groups?: readonly WeightGroup[]
  /** Batches whose gradients are averaged for one change of the weights, as if they were one batch. Schedules count these changes. Default 1. */
  readonly accumulate?: number
  /**
   * Keep a moving average of the weights: it is what is validated, what early stopping compares, and what the run ends in, as timm's `--model-ema`.
   * `{ decay: 0.9999 }` for long runs, `{ decay: 0.999, warmup: true }` for short ones. Default: none.
   */
  readonly average?: Pick<AverageOptions, 'decay' | 'finalDecay' | 'schedule' | 'warmup'>
  /** Parameters that are not trained: names, beginnings of names (`encoder.layer.0`), or patterns. */
  readonly freeze?: readonly (string | RegExp)[]
  /** Layers whose inner values are made again on the way back instead of being kept, by patterns of nodes' names: less memory, more time. */
  readonly recompute?: readonly RegExp[]
  /** Changes to the pictures of each batch. Default: none. */
  readonly augment?: AugmentationSpec
  /** Size in which pictures are decoded before they are augmented. Default: the network's. */
  readonly decodeSize?: number | readonly [height: number, width: number]
  /** Decides weights, order, masks and augmentations: the same seed gives the same run. Default 0. */
  readonly seed?: number
  /** Folder of the run: checkpoints, log, curves, and at the end the model. Default: none is written. */
  readonly out?: string
  /** Steps between checkpoints; 0 for none. Default: one after each epoch, where these are short one a second, and one at the end. */
  readonly checkpoint?: number
  /** Epochs between models that are kept as they were then, in `snapshots/epoch-0001` and so on in `out`: each opens as the run's own. Default: none is. */
  readonly snapshots?: number
  /** Go on from the newest checkpoint in `out`, if there is one. Default `false`: a folder with checkpoints is refused. */
  readonly resume?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (event: TrainEvent) => void
  /** Numbers of the caller's own, from the weights so far. */
  readonly metrics?: MetricsOptions
  readonly earlyStopping?: EarlyStopping
  /** Steps between lines of the log. Default 10. */
  readonly logEvery?: number
  /** Device on which the step runs. Default `cpu`. */
  readonly device?: Device
  /** Threads of the step. Default: the processors' number. */
  readonly threads?: number
}

/** A callback for metrics. */
export interface MetricsOptions {
  /** Steps between calls. Default: once an epoch. */
  readonly every?: number
  compute(at: {
    readonly step: number
    readonly epoch: number
    weights(): Promise<ReadonlyMap<string, Tensor>>
  }): Promise<Readonly<Record<string, number>>>
}

/** End of a run before its last epoch; its result, and the model in its folder, are the weights of the best epoch. */
export interface EarlyStopping {
  /** Name of a number that an epoch ends with. Default `validation_loss`. */
  readonly metric?: string
  /** `min` for losses, `max` for accuracies. Default: `min` for names that end in `loss`, else `max`. */
  readonly mode?: 'min' | 'max'
  /** Epochs without a better value. */
  readonly patience: number
}

/** Progress of a run. */
export type TrainEvent =
  | {
      readonly kind: 'step'
      /** Steps done, and of the whole run. */
      readonly step: number
      readonly steps: number
      /** From 1. */
      readonly epoch: number
      readonly epochs: number
      /** Of this step; further metrics and `learning_rate` beside it. */
      readonly numbers: Readonly<Record<string, number>>
      readonly samplesPerSecond: number
      /** Seconds until the last step, at this rate. */
      readonly secondsLeft: number
    }
  | EpochEvent
  | { readonly kind: 'checkpoint'; readonly step: number; readonly path: string }
  | { readonly kind: 'resumed'; readonly step: number; readonly path: string }

/** The end of an epoch. */
export interface EpochEvent {
  readonly kind: 'epoch'
  readonly epoch: number
  readonly epochs: number
  readonly step: number
  /** Means over the epoch (`loss`), over the validation data (`validation_loss`), and the caller's own. */
  readonly numbers: Readonly<Record<string, number>>
  readonly samplesPerSecond: number
  /** Share of the epoch's time, from 0 to 1, in which the next step waited for its batch: reading, decoding, augmenting, tokenising. */
  readonly waiting: number
}

/** Outcome of a run. */
export interface TrainResult {
  /** Weights and buffers of the network (and of the objective's own parts) by name; with `average`, their averages. */
  readonly weights: ReadonlyMap<string, Tensor>
  readonly history: readonly EpochEvent[]
  readonly steps: number
  /** The epoch, from 1, whose weights these are: the last, or with early stopping the best. */
  readonly epoch: number
  /** True if early stopping ended it. */
  readonly stoppedEarly: boolean
  /** The run's folder. */
  readonly folder?: string
}
