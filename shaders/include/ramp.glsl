uniform vec3 u_ramp[5];  // colours from the lowest number to the highest

vec3 along_ramp(float share) {
    float place = 4.0 * clamp(share, 0.0, 1.0);
    int index = min(int(place), 3);
    return mix(u_ramp[index], u_ramp[index + 1], place - float(index));
}
