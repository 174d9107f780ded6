// Types of tasks, and of what an embedder achieves on one.
import type { Dataset, RetrievalDataset } from '../../embed/index.ts'
import type { Interval } from '../measures/bootstrap.ts'

/** Kinds of tasks. */
export type TaskKind = 'classification' | 'clustering' | 'few-shot' | 'similarity' | 'retrieval' | 'zero-shot'

/** A use of embeddings, and the data for it. */
export type Task =
  | {
      /**
       * `classification`: labels are told by the nearest neighbours and by a linear probe. `few-shot`: by a few examples each. `clustering`: k-means
       * finds the classes.
       */
      readonly kind: 'classification' | 'few-shot' | 'clustering'
      readonly name: string
      /** Rows of `label` and `text` or `image`. */
      readonly data: Dataset
      /** Rows that are classified. Default: a fifth of each class of `data`, which is then not learned from. */
      readonly test?: Dataset
    }
  | {
      /** Classes are told by texts of their names: for models of pictures and texts. */
      readonly kind: 'zero-shot'
      readonly name: string
      /** Rows of `label` and `image`, with `classes`. */
      readonly data: Dataset
    }
  | {
      /** Cosines follow the scores of pairs. */
      readonly kind: 'similarity'
      readonly name: string
      /** Rows of `sentence1`, `sentence2` and `score`. */
      readonly data: Dataset
    }
  | {
      /** Queries find the documents that answer them. */
      readonly kind: 'retrieval'
      readonly name: string
      readonly data: RetrievalDataset
    }

/** Options of {@link evaluate}. */
export interface EvaluateOptions {
  /** Neighbours that vote. Default 5. */
  readonly neighbors?: number
  /** Fit the linear probe of a classification. Default `true`. */
  readonly probe?: boolean
  /** Examples of each class, for few shots. Default 5. */
  readonly shots?: number
  /** List the examples of a classification whose label their 10 nearest neighbours contradict, or all others where they are fewer. Default `false`. */
  readonly suspects?: boolean
  /**
   * Measure the space of the embeddings as well, on 2,000 of the task's vectors at most: anisotropy, uniformity, hubness, RankMe. It takes 11 vectors or
   * more, none of them zeros. Default `false`.
   */
  readonly space?: boolean
  /** Numbers of results that retrieval looks at. Default 1, 5, 10, 100. */
  readonly at?: readonly number[]
  /** Texts for a class, for zero shots: `{}` is its name. Default `['a picture of {}']`. */
  readonly templates?: readonly string[]
  /** Names of the prompts of queries and documents. Default: `query` and `document` or `passage`, where the model has them. */
  readonly prompts?: { readonly query?: string; readonly document?: string }
  /** Resamples of the intervals; 0 for none. Few shots have no resamples but episodes, and with 0 no interval either. Default 1000. */
  readonly resamples?: number
  /** Decides splits, draws and first centres. Default 0. */
  readonly seed?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (event: { done: number; total: number }) => void
}

/** Result of an embedder on a task. */
export interface Evaluation {
  readonly task: {
    readonly kind: TaskKind
    readonly name: string
    readonly rows: number
    readonly split?: string
  }
  readonly model: {
    readonly name: string
    readonly tap: string
    readonly pool: string
    readonly dtype: string
    readonly dimensions: number
  }
  /** The task's main measure, by name. */
  readonly main: { readonly measure: string; readonly value: number; readonly interval?: Interval }
  /** All measures, the main one among them; shares from 0 to 1, correlations from -1 to 1. */
  readonly measures: Readonly<Record<string, number>>
  /** Intervals of the measures, by name: of those that a resample of the rows has. That of few shots is 1.96 standard errors over episodes. */
  readonly intervals: Readonly<Record<string, Interval>>
  /** With `space`: measures that need no labels. */
  readonly space?: SpaceMeasures
  /** Of classes that were told, by the main measure's predictions, and of clusters: how often each label had each answer. */
  readonly confusion?: Confusion
  /** With `suspects`: labels that are probably wrong, the most suspicious first. */
  readonly suspects?: readonly SuspiciousRow[]
  /** Rows whose input could not be read and that are left out. */
  readonly skipped: number
  readonly cost: {
    /** Inputs embedded a second. */
    readonly perSecond: number
    /** Seconds that embedding and measuring took. */
    readonly seconds: number
    /** Bytes of a vector in float32. */
    readonly bytesPerVector: number
    /** Resident memory of the process at its highest while embedding, in bytes. */
    readonly memory: number
  }
}

/** How often each label had each answer. */
export interface Confusion {
  /** Names of the classes that occur, among labels or predictions. */
  readonly classes: readonly string[]
  /** Names of the answers: the classes, or clusters. */
  readonly columns: readonly string[]
  /** `[label][answer]` */
  readonly counts: readonly (readonly number[])[]
}

/** Measures of the space of a task's embeddings. They have no intervals: a resample holds some vectors twice, at distance 0, which none of them means. */
export interface SpaceMeasures {
  /** Vectors that were looked at. */
  readonly vectors: number
  readonly anisotropy: number
  readonly uniformity: number
  readonly rankMe: number
  /** Skewness among 10 neighbours, and share of vectors that are nobody's neighbour. */
  readonly hubness: number
  readonly orphans: number
}

/** A row whose label is probably wrong. */
export interface SuspiciousRow {
  /** The row's name: its path, or its file and line. */
  readonly row: string
  readonly index: number
  readonly label: string
  /** The class that is likeliest. */
  readonly likelier: string
  /** Probability of that class. */
  readonly confidence: number
  /** From -1 to 1, the lower the more suspicious. */
  readonly margin: number
}
