// Everything a key can do, by name.

/// A named action. Help shows the name, and tests perform the action by it.
enum Action: String, CaseIterable, Sendable {
  case quit, back, help, undo, redo
  case up, down, pageUp, pageDown, first, last
  case open, steer, steerToo, steerScreen, tag, note
  case filter, clearFilter, sortNext, sortPrevious, reverse, mark, unmarkAll
  case sortBy, thenBy, nextClass, columns, scrollLeft, scrollRight, overview, savedFilters
  case markDown, markUp, markRange, markAll, invertMarks
  case followFilter
  case nextLatent, previousLatent, contextLength, colourScale
  case run, cancel, nextFocus, editPrompt, toggle, stronger, weaker, strength, mode, addLatent, deleteLatent,
    clearLatents
  case temperature, seed, answerLength
  /// The names that a configuration has for these are older than the command `activations`.
  case activations = "trace"
  case promptActivations = "tracePrompt"
  case nextSample, cursorRight, cursorLeft, continueBaseline, continueSteered, sweep, sweepWithControl,
    nextMeasure
  case slightlyStronger, slightlyWeaker, settings, positions, condition, decoder, blocks, unit, tryAgain
  case freezeAttention, sweepSet
  case latentsScreen, mapScreen, experimentsScreen, differencesScreen, palette
  case left, right, corner, zoomIn, zoomOut, usualRange, wholeRange, xAxis, yAxis, swapAxes, glyphs, chatMarks
  case templateTokens, duplicates, contrast, wholeLens, nextSection, previousSection
  case randomLatent, goToLatent, compareLatents, swapSides
  case causalCheck
  case promptScreen, answer, nextWord, previousWord, firstToken, lastToken, toPeak
  case wholeText, aggregation, chatSpecificOnly, frequencyCut, rawText
  case setMark, goToMark, placeBack, placeForth, copy, copyWhole, externalEditor
  case redraw, saveDisplay, editConfiguration, keyBar, tour
  case compare, runAgain, export, deleteExperiment, otherAnswer, nextAnswer, nextExperiment, previousExperiment
  case saveAgain, amplify, addDirection
}
