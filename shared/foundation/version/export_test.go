package version

// Of is String for another build.
var Of = of
