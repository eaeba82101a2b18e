// Colour ramp of an intermediate target or an error.
uniform vec3 u_ramp[5];  // from the lowest value to the highest

vec3 along_ramp(float fraction) {
    float position = 4.0 * clamp(fraction, 0.0, 1.0);
    int index = min(int(position), 3);
    return mix(u_ramp[index], u_ramp[index + 1], position - float(index));
}
