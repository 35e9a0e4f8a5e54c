"""Small problems of K numbers that balancers share: cones, simplices, Newton, Adam."""
