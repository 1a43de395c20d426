import { finishObservable, type ObservableDraft, propertyValue } from '../types/build-observable.ts'
import { hashNameOf, hashTextOf } from '../types/hashes.ts'
import {
  type NotExpressible,
  type NotExpressibleReason,
  type Observable,
  type ObservablesResult,
} from '../types/observable.ts'
import { kindOfStixType, type ObservableKind } from '../types/observable-kinds.ts'
import {
  type ObjectPath,
  type PatternComparison,
  type PatternExpression,
  type PatternLiteral,
} from './pattern.ts'
import { PatternPlaces } from './pattern-places.ts'

/** A condition an observable can express: a property or hash, and its value. */
interface Condition {
  readonly kind: ObservableKind
  readonly name: string
  readonly isHash: boolean
  readonly value: string | number | boolean
  readonly offset: number
}

/** Conditions one object must meet together. */
type Alternative = readonly Condition[]

/** Maximum number of combinations of `(A OR B) AND (C OR D) …` to expand. */
const maxCombinations = 1000

/**
 * Extracts the observables of a pattern, each of which alone makes the pattern match. Reports everything
 * else. Recursion is bounded by the pattern's own depth limit.
 */
export function observablesOfPattern(pattern: PatternExpression, text: string): ObservablesResult {
  const reader = new PatternReader(text)
  reader.readExpression(pattern)
  return { observables: reader.observables, notExpressible: reader.notExpressible }
}

class PatternReader {
  readonly observables: Observable[] = []
  readonly notExpressible: NotExpressible[] = []
  readonly #reported = new Set<number>()
  readonly #places: PatternPlaces

  constructor(text: string) {
    this.#places = new PatternPlaces(text)
  }

  readExpression(expression: PatternExpression): void {
    switch (expression.kind) {
      case 'observation':
        for (const alternative of this.#alternatives(expression.comparison)) this.#combine(alternative)
        break
      case 'or':
        for (const operand of expression.operands) this.readExpression(operand)
        break
      case 'and':
      case 'followed-by':
        this.#report('together', 'several observations must occur together', expression.offset)
        break
      case 'qualified': {
        // A single observation fits any time span, and counts as one repetition.
        const limit = expression.qualifiers.find(
          (qualifier) =>
            qualifier.kind === 'start-stop' || (qualifier.kind === 'repeats' && qualifier.times > 1),
        )
        if (limit === undefined) this.readExpression(expression.operand)
        else
          this.#report(
            'qualifier',
            limit.kind === 'repeats'
              ? 'this must be seen several times'
              : 'this only applies within a time span',
            limit.offset,
          )
      }
    }
  }

  /** Ways to satisfy a comparison that observables can express; reports the others. */
  #alternatives(comparison: PatternComparison): readonly Alternative[] {
    switch (comparison.kind) {
      case 'comparison': {
        const isNegation = (comparison.operator === '!=') !== comparison.negated
        if (comparison.operator !== '=' && comparison.operator !== '!=') {
          this.#report('operator', `${comparison.operator} does not name a single value`, comparison.offset)
        } else if (isNegation) {
          this.#report('negation', 'this names what must not be present', comparison.offset)
        } else {
          const condition = this.#condition(comparison.path, comparison.value, comparison.offset)
          if (condition !== undefined) return [[condition]]
        }
        return []
      }
      case 'in':
        if (comparison.negated) {
          this.#report('negation', 'this names what must not be present', comparison.offset)
          return []
        }
        return comparison.values.flatMap((value) => {
          const condition = this.#condition(comparison.path, value, comparison.offset)
          return condition === undefined ? [] : [[condition]]
        })
      case 'exists':
        this.#report('operator', 'EXISTS does not name a value', comparison.offset)
        return []
      case 'any':
        return comparison.operands.flatMap((operand) => this.#alternatives(operand))
      case 'all':
        return this.#combinations(comparison.operands, comparison.offset)
    }
  }

  /** Every way to choose one alternative per operand. */
  #combinations(operands: readonly PatternComparison[], offset: number): readonly Alternative[] {
    const choices = operands.map((operand) => this.#alternatives(operand))
    let count = 1
    let conditions = 0
    for (const choice of choices) {
      count *= choice.length
      conditions += choice[0]?.length ?? 0
      if (count === 0) return []
      if (count > 1 && count * conditions > maxCombinations * 10) count = Infinity
      if (count > maxCombinations) {
        this.#report('too-many', `more than ${maxCombinations} combinations of AND and OR`, offset)
        return []
      }
    }
    let combined: Condition[][] = [[]]
    for (const choice of choices) {
      const [only] = choice
      if (choice.length === 1) for (const so of combined) for (const condition of only!) so.push(condition)
      else combined = combined.flatMap((so) => choice.map((more) => so.concat(more)))
    }
    return combined
  }

  #condition(path: ObjectPath, literal: PatternLiteral, offset: number): Condition | undefined {
    const kind = kindOfStixType(path.type)
    if (kind === undefined) return this.#report('type', 'OpenCTI has no observable of this type', offset)
    const [first, second] = path.steps
    if (first?.kind !== 'property') return undefined
    if (/_refs?$/.test(first.name)) {
      return this.#report('reference', 'this is about another object that this one references', offset)
    }
    if (path.steps.length === 1) return this.#property(kind, first.name, literal, offset)
    if (first.name === 'hashes' && kind.hasHashes && path.steps.length === 2 && second?.kind === 'property') {
      return this.#hash(kind, second.name, literal, offset)
    }
    return this.#report('nested', 'this is about a list item or a nested part of the object', offset)
  }

  #property(
    kind: ObservableKind,
    name: string,
    literal: PatternLiteral,
    offset: number,
  ): Condition | undefined {
    const propertyKind = kind.properties.get(name)
    if (propertyKind === undefined) {
      return this.#report('property', `observables of type ${kind.type} have no such property`, offset)
    }
    const isTold = literal.kind !== 'hex' && literal.kind !== 'binary' && literal.kind !== 'float'
    const value = isTold ? propertyValue(propertyKind, literal.value) : undefined
    if (value === undefined) {
      return this.#report('value', `${name} of ${kind.type} cannot have this value`, offset)
    }
    return { kind, name, isHash: false, value, offset }
  }

  #hash(
    kind: ObservableKind,
    algorithm: string,
    literal: PatternLiteral,
    offset: number,
  ): Condition | undefined {
    const name = hashNameOf(algorithm)
    const value = name === undefined || literal.kind !== 'string' ? '' : hashTextOf(name, literal.value)
    if (name === undefined || value === '') return this.#report('value', 'not a hash', offset)
    return { kind, name, isHash: true, value, offset }
  }

  /**
   * Adds one observable with all conditions, or a report if no single object can meet them or none of them
   * identifies it.
   */
  #combine(conditions: Alternative): void {
    const { kind, offset } = conditions[0]!
    const draft: ObservableDraft = { type: kind.type }
    const hashes: Record<string, unknown> = {}
    for (const condition of conditions) {
      const target = condition.isHash ? hashes : draft
      const isElsewhere = condition.kind !== kind
      if (
        isElsewhere ||
        (Object.hasOwn(target, condition.name) && target[condition.name] !== condition.value)
      ) {
        const message = isElsewhere
          ? 'objects of several types must be seen together'
          : 'one property has several values'
        this.#report('together', `${message} together`, condition.offset)
        return
      }
      target[condition.name] = condition.value
      if (condition.isHash) draft['hashes'] = hashes
    }
    const observable = finishObservable(kind, draft)
    if (observable !== undefined) this.observables.push(observable)
    else this.#report('property', `this does not identify a ${kind.type}`, offset)
  }

  /** Reports each location once. Returns undefined to allow `return this.#report(…)`. */
  #report(reason: NotExpressibleReason, message: string, offset: number): undefined {
    if (this.#reported.has(offset)) return
    this.#reported.add(offset)
    this.notExpressible.push({ reason, message, offset, ...this.#places.placeOf(offset) })
  }
}
